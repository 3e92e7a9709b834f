/** Who this server is: keys made anew at each start, and its name. */
import { generateKeyPairSync } from "node:crypto";
import { encodePublicKey } from "../util/nkeys.ts";

export interface ServerIdentity {
  /** Public server nkey. */
  readonly id: string;
  /** Public curve key. */
  readonly xkey: string;
  readonly name: string;
}

/** `name` is the configured one, or empty: then the id is the name. */
export function makeIdentity(name: string): ServerIdentity {
  const id = encodePublicKey("server", rawPublicKey("ed25519"));
  return { id, xkey: encodePublicKey("curve", rawPublicKey("x25519")), name: name === "" ? id : name };
}

function rawPublicKey(type: "ed25519" | "x25519"): Buffer {
  // Both overloads have the same shape; the union has no common one.
  const pair = type === "ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("x25519");
  return Buffer.from(pair.publicKey.export({ type: "spki", format: "der" })).subarray(-32);
}
