/** /raftz: the Raft groups of this server. Spec: monitoring, section 12. */

/** Nothing to tell: status 404 with the message. */
export class RaftzError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RaftzError";
  }
}

export interface RaftzOptions {
  readonly account: string;
  readonly group: string;
}

/** Throws `RaftzError`: this server takes part in no group, whatever the options ask for. */
export function raftz(_options: RaftzOptions): never {
  throw new RaftzError("No Raft nodes registered");
}
