/** Message tracing: placeholder of the interface, filled by the tracing room. */
import type { Account } from "../../accounts/index.ts";
import type { SubjectEntry } from "../../routing/interest.ts";
import type { Message } from "../../routing/message.ts";
import type { ClientLink } from "./client.ts";

export interface MessageTracer {
  mapped(subject: string): void;
  refused(text: string): void;
  distribute(entry: SubjectEntry, message: Message, origin: ClientLink): void;
}

export interface TraceRequest {
  begin(link: ClientLink, message: Message, subject: string): MessageTracer;
}

export function findTraceRequest(_message: Message, _account: Account): TraceRequest | undefined {
  return undefined;
}
