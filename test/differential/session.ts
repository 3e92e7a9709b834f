/**
 * A session is a list of steps that any server can be put through: connections opened, bytes sent, connections closed, configurations reloaded. After every
 * step that sends, the connection is brought to rest with a PING, so that what one connection causes at another is there before the next step and a session
 * has one outcome only. Bytes are kept as latin1 texts, so that a session can be printed and read.
 */

/** How a connection reaches the server. */
export type Transport = "tcp" | "tls" | "ws" | "ws-deflate";

/** What a login signs the nonce of INFO with. */
export interface Signer {
  /** Name of the key pair (see `nkeyNamed`). */
  readonly name: string;
  /** Signs something other than the nonce. */
  readonly wrong: boolean;
}

export type Step =
  /** Connects and reads INFO. */
  | { readonly kind: "open"; readonly connection: string }
  /** Sends bytes, in several writes where `cuts` (offsets, ascending) says so. `@SIG@` in them becomes the signer's signature. */
  | { readonly kind: "send"; readonly connection: string; readonly bytes: string; readonly cuts: readonly number[]; readonly signer?: Signer }
  /** Closes from the client's side; waits until the server knows. */
  | { readonly kind: "close"; readonly connection: string }
  /** Writes a new configuration and has the server reload it. */
  | { readonly kind: "reload"; readonly config: string };

export interface Session {
  readonly steps: readonly Step[];
}

/** In every configuration: few closed connections are remembered, so that asking for them stays cheap. */
export const COMMON_CONFIG = "max_closed_clients: 40\n";

export function open(connection: string): Step {
  return { kind: "open", connection };
}

export function send(connection: string, bytes: string, more: { readonly cuts?: readonly number[]; readonly signer?: Signer } = {}): Step {
  return { kind: "send", connection, bytes, cuts: more.cuts ?? [], ...(more.signer === undefined ? {} : { signer: more.signer }) };
}

/** For people. */
export function printSession(session: Session): string {
  return session.steps.map((step) => {
    switch (step.kind) {
      case "open":
      case "close":
        return `${step.connection} ${step.kind}`;
      case "reload":
        return `reload:\n    ${step.config.replaceAll("\n", "\n    ")}`;
      case "send":
        return `${step.connection}>> ${JSON.stringify(step.bytes).slice(1, -1)}${step.cuts.length > 0 ? `   (cut at ${step.cuts.join(" ")})` : ""}${step.signer === undefined ? "" : `   (${step.signer.wrong ? "wrong " : ""}signature of ${step.signer.name})`}`;
    }
  }).join("\n");
}
