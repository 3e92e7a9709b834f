/** Pinned certificates: only peers whose public key is in the set may stay. Spec: TLS, section 2.6. */
import type { TlsState } from "../platform/index.ts";
import { nodeCrypto } from "../util/builtin.ts";
import { sha256Hex } from "../util/hash.ts";

/** Why this peer is not one of those pinned (for the debug log); undefined when it is, or when nothing is pinned. */
export function pinViolation(pinned: readonly string[], state: TlsState | undefined): string | undefined {
  if (pinned.length === 0) return undefined;
  const der = state?.peerCertificateDer;
  if (der === undefined) return "Failed pinned cert test as client did not provide a certificate";
  const digest = publicKeyDigest(der);
  return pinned.includes(digest) ? undefined : `Failed pinned cert test for key id: ${digest}`;
}

/** Lower-case hex SHA-256 of a certificate's SubjectPublicKeyInfo. */
export function publicKeyDigest(der: Uint8Array): string {
  const key = new (nodeCrypto().X509Certificate)(der).publicKey.export({ type: "spki", format: "der" });
  return sha256Hex(key);
}
