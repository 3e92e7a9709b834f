/**
 * /ipqueuesz: messages that wait between parts of the server. Spec: monitoring, section 12. This server hands a message on within the turn in which it
 * arrives, so the queues that users of the reference look for are always empty.
 */
export interface IpqueueszOptions {
  /** Also queues in which nothing waits. */
  readonly all: boolean;
  /** Only queues whose name contains this. */
  readonly filter: string;
}

export type Ipqueuesz = Readonly<Record<string, { readonly pending: number }>>;

const QUEUES = ["SendQ", "System recvQ", "System recvQ Pings", "System sendQ", "delayed API responses"] as const;

export function ipqueuesz(options: IpqueueszOptions): Ipqueuesz {
  if (!options.all) return {};
  return Object.fromEntries(QUEUES.filter((name) => name.includes(options.filter)).map((name) => [name, { pending: 0 }]));
}
