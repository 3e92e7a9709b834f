/** Names that users write in a `tls {}` block, in the terms of Bun's TLS engine. */

/** The TLS options of a Bun socket that we use; versions must be numbers. */
export interface BunTls {
  readonly key: readonly string[];
  readonly cert: readonly string[];
  readonly ca?: string;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
  readonly ciphers?: string;
  readonly ecdhCurve?: string;
  readonly minVersion: number;
}

/** The TLS 1.2 suites of a list as the engine wants them; undefined when none is left. TLS 1.3 suites are always on, and RC4 exists no more. */
export function cipherList(names: readonly string[]): string | undefined {
  const old = names.filter((name) => !/^TLS_(AES|CHACHA20)_/.test(name) && !name.includes("RC4"));
  return old.length === 0 ? undefined : old.join(":");
}

const CURVES: Readonly<Record<string, string>> = { X25519: "X25519", CurveP256: "P-256", CurveP384: "P-384", CurveP521: "P-521", X25519MLKEM768: "X25519MLKEM768" };

/** Two hybrid groups are accepted in configurations but unknown to the engine; they are left out. */
export function curveList(names: readonly string[]): string {
  const known = names.flatMap((name) => CURVES[name] ?? []);
  return (known.length === 0 ? ["X25519"] : known).join(":");
}
