/**
 * Traced messages: what their traces are told of this stream, once it is true. A stored message is told when it is committed, after its acknowledgement.
 * Spec: client protocol, section 16.
 */
import type { StreamTrace, TraceOutcome } from "../../routing/index.ts";
import { goQuote } from "../../util/quote.ts";
import { fromByteString } from "../../util/bytes.ts";
import type { ApiErrorBody } from "../api/errors.ts";
import { H, type PublishHeaders } from "./headers.ts";

/** Errors that only show when the message is about to be stored: its subject is told with them, and who only looks is not told. */
const STORING_ERRORS: ReadonlySet<number> = new Set([10002, 10023, 10077, 10120, 10165]);
/** Those that traces word as their description says. */
const BARE_ERRORS: ReadonlySet<number> = new Set([10060, 10077, 10111]);
const SIZE_ERRORS: ReadonlySet<number> = new Set([10054, 10097]);
const TTL_DISABLED = 10166;
const WRONG_SEQUENCE = 10071;
const WRONG_ID = 10070;

/** Whether a message with this error would be let through to the store. */
export function isStoringError({ err_code: code }: ApiErrorBody): boolean {
  return STORING_ERRORS.has(code);
}

/** What a trace is told of a refused message. */
export function refusedOutcome(error: ApiErrorBody, subject: string, headers: PublishHeaders | undefined): TraceOutcome {
  const text = errorText(error, headers);
  return isStoringError(error) ? { subject, error: text } : { error: text };
}

function errorText({ err_code: code, description }: ApiErrorBody, headers: PublishHeaders | undefined): string {
  if (SIZE_ERRORS.has(code)) return "maximum payload exceeded";
  if (code === TTL_DISABLED) return "message TTL disabled";
  if (code === WRONG_SEQUENCE) return sequenceText(description.slice(description.lastIndexOf(" ") + 1), headers);
  if (code === WRONG_ID) return `last msgid mismatch: ${goQuote(fromByteString(headers?.get(H.ExpectedLastMsgId) ?? ""))} vs ${goQuote(description.slice("wrong last msg ID: ".length))}`;
  return BARE_ERRORS.has(code) ? description : `${description} (${code})`;
}

function sequenceText(actual: string, headers: PublishHeaders | undefined): string {
  const ofSubject = headers?.get(H.ExpectedLastSubjectSeq) ?? "";
  if (ofSubject !== "" && ofSubject !== actual) return `last sequence by subject mismatch: ${ofSubject} vs ${actual}`;
  return `last sequence mismatch: ${headers?.get(H.ExpectedLastSeq) ?? ""} vs ${actual}`;
}

export const DUPLICATE: TraceOutcome = { error: "msgid is duplicate" };

interface Waiting {
  readonly trace: StreamTrace;
  /** Told once everything up to this sequence is committed. */
  readonly after: number;
  readonly outcome: TraceOutcome;
}

export class Traces {
  #waiting: Waiting[] = [];

  add(trace: StreamTrace, after: number, outcome: TraceOutcome): void {
    this.#waiting.push({ trace, after, outcome });
  }

  /** Tells what waits for nothing beyond `committed`. */
  send(committed: number): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter(({ after }) => after <= committed);
    this.#waiting = this.#waiting.filter(({ after }) => after > committed);
    for (const { trace, outcome } of due) trace.end(outcome);
  }

  /** Messages from `firstSeq` on are not stored after all. */
  takeBack(firstSeq: number, { description }: ApiErrorBody): void {
    this.#waiting = this.#waiting.map((each) => (each.after < firstSeq ? each : { ...each, after: firstSeq - 1, outcome: { subject: each.outcome.subject, error: description } }));
  }
}
