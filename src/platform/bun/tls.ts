/** The `tls {}` block in the terms of Bun's TLS engine, and the engine's errors in the terms of the reference's log. */
import { nodeCrypto } from "../../util/builtin.ts";
import type { TlsFailure } from "../network.ts";

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

export type EngineError = Error & { readonly code?: string };

/** Parts of the engine's error texts, and what they mean. First match counts. */
const ENGINE_ERRORS: readonly (readonly [RegExp, TlsFailure["kind"], string])[] = [
  [/PEER_DID_NOT_RETURN_A_CERTIFICATE/, "other", "tls: client didn't provide a certificate"],
  [/UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_ENABLED|INAPPROPRIATE_FALLBACK/, "version", "tls: client offered only unsupported versions"],
  [/NO_SHARED_GROUP|WRONG_CURVE/, "group", "tls: no key exchanges supported by both client and server"],
  [/NO_SHARED_CIPHER/, "suite", "tls: no cipher suite supported by both client and server"],
  [/NO_CERTIFICATE_SET|UNKNOWN_CERTIFICATE_TYPE/, "own-certificate", "tls: no certificates configured"],
  [/HTTP_REQUEST|HTTPS_PROXY_REQUEST|WRONG_SSL_VERSION|WRONG_VERSION_NUMBER/, "not-tls", "tls: first record does not look like a TLS handshake"],
];

/** What other implementations call the alerts that a peer sends. */
const ALERTS: Readonly<Record<string, string>> = {
  UNKNOWN_CA: "unknown certificate authority",
  CERTIFICATE_EXPIRED: "expired certificate",
  CERTIFICATE_REVOKED: "revoked certificate",
  CERTIFICATE_UNKNOWN: "unknown certificate",
  PROTOCOL_VERSION: "protocol version not supported",
  NO_RENEGOTIATION: "no renegotiation",
  DECODE_ERROR: "error decoding message",
  DECRYPT_ERROR: "error decrypting message",
  BAD_RECORD_MAC: "bad record MAC",
};

/** A handshake that the engine gave up. `withoutCertificate` says that we had none to offer. */
export function engineFailure(error: EngineError | null, withoutCertificate: boolean): TlsFailure {
  const text = error?.message ?? "";
  if (error === null || error.code === "ECONNRESET" || text === "") return { ok: false, kind: "gone", cause: "EOF" };
  if (withoutCertificate) return { ok: false, kind: "own-certificate", cause: "tls: no certificates configured" };
  for (const [pattern, kind, cause] of ENGINE_ERRORS) if (pattern.test(text)) return { ok: false, kind, cause };
  const alert = /(?:SSLV3|TLSV1|TLSV13)_ALERT_([A-Z_]+)/.exec(text);
  if (alert !== null) return { ok: false, kind: "other", cause: `remote error: tls: ${ALERTS[alert[1]] ?? alert[1].toLowerCase().replaceAll("_", " ")}` };
  const reason = /OPENSSL_internal:([A-Z0-9_]+)/.exec(text);
  return { ok: false, kind: "other", cause: reason === null ? text : `tls: ${reason[1].toLowerCase().replaceAll("_", " ")}` };
}

/** A handshake that went well with a certificate that may not be trusted. */
export function verificationFailure(error: EngineError | null, der: Uint8Array | undefined): TlsFailure {
  if (der === undefined) return { ok: false, kind: "other", cause: "tls: client didn't provide a certificate" };
  return { ok: false, kind: "untrusted", cause: `tls: failed to verify certificate: x509: ${certificateFault(error?.code ?? "", der)}`, peerCertificateDer: der };
}

function certificateFault(code: string, der: Uint8Array): string {
  const time = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  const outOfTime = (side: string, limit: string): string => `certificate has expired or is not yet valid: current time ${time(Date.now())} is ${side} ${time(Date.parse(limit))}`;
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return outOfTime("after", new (nodeCrypto().X509Certificate)(der).validTo);
    case "CERT_NOT_YET_VALID":
      return outOfTime("before", new (nodeCrypto().X509Certificate)(der).validFrom);
    case "INVALID_PURPOSE":
      return "certificate specifies an incompatible key usage";
    default:
      return "certificate signed by unknown authority";
  }
}
