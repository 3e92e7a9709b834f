/**
 * A client's publish that something rare applies to: permissions, a mapping, a reserved subject, pedantry, tracing. The usual publish never comes here
 * (`ClientLink.onPublish`); this is the whole of it, in the order of section 5.6 of the client protocol.
 */
import { distribute, isValidLiteralSubject, type Message, type SubjectEntry } from "../../routing/index.ts";
import type { ClientLink } from "./client.ts";
import { quoteBytes } from "./protocollog.ts";
import { destinationViolation, judgeTrace, mayBeTraced, type MessageTracer } from "./trace.ts";

/** Whether a subject begins like `_GR_.`, `$GR.` or `$NRG.`, where not everybody may publish: two bytes, so that inboxes are told apart at once. */
export function mayBeReserved(buffer: Buffer, at: number): boolean {
  const first = buffer[at];
  const second = buffer[at + 1];
  return (first === 95 && second === 71) || (first === 36 && (second === 78 || second === 71));
}

/** Whether a reply subject begins like `_GR_.`, `$GR.`, `_R_.` or `$JS.ACK.`, which clients may not use. */
export function mayBeReservedReply(buffer: Buffer, at: number): boolean {
  const first = buffer[at];
  const second = buffer[at + 1];
  return (first === 95 && (second === 71 || second === 82)) || (first === 36 && (second === 74 || second === 71));
}

/** Whether a subject begins like `_R_.`, the answers to requests from other accounts: each of those is published once, or a few times. */
export function isAnswer(buffer: Buffer, at: number): boolean {
  return buffer[at] === 95 && buffer[at + 1] === 82 && buffer[at + 2] === 95;
}

/** Whether a subject begins like `$JS.ACK.`: each of those is published once. */
export function isAcknowledgement(buffer: Buffer, at: number): boolean {
  return buffer[at] === 36 && buffer[at + 1] === 74 && buffer[at + 4] === 65 && buffer[at + 5] === 67;
}

/** Checks, maps and delivers a publish. `published` is the entry of its subject as published. */
export function publishWithChecks(link: ClientLink, published: Message, entry: SubjectEntry): void {
  const { account } = link;
  if (link.connect.pedantic && !isValidLiteralSubject(entry.subject)) link.sendError("Invalid Publish Subject");
  let message = published;
  let target = entry;
  let tracer: MessageTracer | undefined;
  if (message.headerLength > 0 && mayBeTraced(message, account)) {
    const verdict = judgeTrace(link, message);
    if (verdict.kind === "dropped") return;
    if (verdict.kind === "refused") return link.sendError(destinationViolation(verdict.destination));
    if (verdict.kind === "replaced") message = verdict.message;
    if (verdict.kind === "traced") tracer = verdict.tracer;
  }
  if (account.mapper !== undefined && isValidLiteralSubject(target.subject)) {
    const mapped = account.mapper.map(target.subject);
    if (mapped !== target.subject) {
      if (link.traced) link.logged.trace("<<-", `MAPPING ${target.subject} -> ${mapped ?? ""}`);
      tracer?.mapped(mapped ?? "");
      target = account.interest.findSubject(mapped ?? "");
    }
  }
  const violation = publishViolation(link, target.subject, message.reply());
  if (violation !== undefined) {
    link.logged.error(violation.log);
    link.sendError(violation.text);
    tracer?.refused(violation.text);
    return;
  }
  link.acknowledge();
  const taken = tracer === undefined ? distribute(target.result, message, target, link) : tracer.follow(target, message);
  if (taken === 0) link.tellNoResponders(message, target.subject);
  tracer?.finish();
}

/** A publish that is too large is still reported to whoever traces it. */
export function traceRefusedPayload(link: ClientLink, message: Message): void {
  if (!mayBeTraced(message, link.account)) return;
  const verdict = judgeTrace(link, message);
  if (verdict.kind === "traced") verdict.tracer.refused("maximum payload exceeded");
}

/** Why `link` may not publish to `subject` asking for answers on `reply`; undefined when it may. */
function publishViolation(link: ClientLink, subject: string, reply: string): { readonly text: string; readonly log: string } | undefined {
  const reserved = isGatewayReply(subject) || (subject.startsWith("$NRG.") && !link.account.isSystem);
  if (reserved || link.permissions?.canPublish(subject) === false) {
    return { text: `Permissions Violation for Publish to ${quoteBytes(subject)}`, log: `Publish Violation - Subject ${quoteBytes(subject)}` };
  }
  if (!isReservedReply(reply)) return undefined;
  return { text: `Permissions Violation for Publish with Reply of ${quoteBytes(reply)}`, log: `Publish Violation - Reply ${quoteBytes(reply)}` };
}

function isReservedReply(reply: string): boolean {
  return reply.startsWith("_R_.") || reply.startsWith("$JS.ACK.") || isGatewayReply(reply);
}

/** Subjects that gateways route replies by: those of today, and those of servers before 2.0.5. */
export function isGatewayReply(subject: string): boolean {
  return subject.startsWith("_GR_.") || (subject.startsWith("$GR.") && subject.length > 4);
}
