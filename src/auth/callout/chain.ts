/**
 * The certificates from a client's own up to the authority that vouches for it. The engine has verified the client's, and shows no more than that one; those above
 * it are looked for among the configured roots, so an intermediate that only the client sent is left out.
 */
import type { X509Certificate } from "node:crypto";
import { nodeCrypto } from "../../util/builtin.ts";

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** As PEM, the client's own first. */
export function verifiedChain(der: Uint8Array, rootsPem: string): readonly string[] {
  const { X509Certificate } = nodeCrypto();
  const roots = (rootsPem.match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
  const chain: X509Certificate[] = [new X509Certificate(Buffer.from(der))];
  for (;;) {
    const last = chain[chain.length - 1];
    const issuer = last === undefined ? undefined : roots.find((root) => last.checkIssued(root) && !chain.some((known) => known.fingerprint256 === root.fingerprint256));
    if (issuer === undefined) return chain.map(({ raw }) => pem(raw));
    chain.push(issuer);
  }
}

function pem(der: Uint8Array): string {
  const text = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}
