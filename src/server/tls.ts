/** TLS of a listener, prepared from its options: one context for everybody, or one per certificate when the client's wish decides. */
import type { CertificatePair, TlsOptions } from "../config/index.ts";
import type { ListenerTls } from "../links/index.ts";
import type { Network, TlsServerContext } from "../platform/index.ts";
import { nodeCrypto } from "../util/builtin.ts";

export function listenerTls(options: TlsOptions | undefined, network: Network, verify = options?.verify ?? false): ListenerTls | undefined {
  if (options === undefined) return undefined;
  const prepare = (certificates: readonly CertificatePair[]): TlsServerContext => network.prepareTls({ ...options, certificates, verify });
  const first = prepare(preferred(options.certificates, options.certificates[0]));
  if (options.certificates.length < 2) return { options, choosesByName: false, contextFor: () => first };
  const byCertificate = options.certificates.map((pair) => ({ names: namesOf(pair), context: prepare(preferred(options.certificates, pair)) }));
  return {
    options,
    choosesByName: true,
    contextFor: (serverName) => (serverName === "" ? first : (byCertificate.find((each) => each.names.some((name) => nameMatches(name, serverName)))?.context ?? first)),
  };
}

/** `chosen`, and of every other key type the first: the client may only know one of them. */
function preferred(all: readonly CertificatePair[], chosen: CertificatePair | undefined): readonly CertificatePair[] {
  if (chosen === undefined) return [];
  const types = new Set([keyType(chosen)]);
  const others = all.filter((pair) => !types.has(keyType(pair)) && types.add(keyType(pair)));
  return [chosen, ...others];
}

function keyType(pair: CertificatePair): string {
  return new (nodeCrypto().X509Certificate)(pair.certPem).publicKey.asymmetricKeyType ?? "";
}

/** DNS names of a certificate, lower case. */
function namesOf(pair: CertificatePair): readonly string[] {
  const alternatives = new (nodeCrypto().X509Certificate)(pair.certPem).subjectAltName ?? "";
  return alternatives.split(", ").flatMap((name) => (name.startsWith("DNS:") ? [name.slice(4).toLowerCase()] : []));
}

/** A leading `*` stands for one label. */
function nameMatches(name: string, wanted: string): boolean {
  if (!name.startsWith("*.")) return name === wanted;
  const dot = wanted.indexOf(".");
  return dot > 0 && wanted.slice(dot) === name.slice(1);
}
