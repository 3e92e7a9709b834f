/** What a trace tells of a message that a stream takes, or does not. Spec: client protocol, section 16.3; the texts are the reference's own, not those of its API. */
import type { ApiErrorBody } from "../api/errors.ts";
import { goQuote } from "../../util/quote.ts";
import { fromByteString } from "../../util/bytes.ts";
import { H, type PublishHeaders } from "./headers.ts";

/** What became of the message at hand, gathered while it is judged. */
export interface Outcome {
  refusal: ApiErrorBody | undefined;
  isDuplicate: boolean;
  /** It has a sequence and is not stored, as nobody is interested. */
  hasNoInterest: boolean;
  /** It waits for the rest of its batch: nothing can be told yet. */
  isStaged: boolean;
}

export function noOutcome(): Outcome {
  return { refusal: undefined, isDuplicate: false, hasNoInterest: false, isStaged: false };
}

/** Refused for want of room, or by what is only looked at when it is stored: the event has the subject beside the error. */
const LATE: ReadonlySet<number> = new Set([10002, 10023, 10077, 10120, 10165]);

export function isLate({ err_code: code }: ApiErrorBody): boolean {
  return LATE.has(code);
}

export function errorText({ err_code: code, description }: ApiErrorBody, headers: PublishHeaders): string {
  switch (code) {
    case 10054:
      return "maximum payload exceeded";
    case 10060:
    case 10077:
    case 10111:
      return description;
    case 10070:
      return `last msgid mismatch: ${goQuote(fromByteString(headers.get(H.ExpectedLastMsgId) ?? ""))} vs ${goQuote(/: (.*)$/s.exec(description)?.[1] ?? "")}`;
    case 10071:
      return sequenceText(/\d+$/.exec(description)?.[0] ?? "", headers);
    case 10166:
      return "message TTL disabled";
    default:
      return `${description} (${code})`;
  }
}

/** The expectation for the subject is looked at first. */
function sequenceText(last: string, headers: PublishHeaders): string {
  const forSubject = headers.get(H.ExpectedLastSubjectSeq) ?? "";
  if (forSubject !== "" && forSubject !== last) return `last sequence by subject mismatch: ${forSubject} vs ${last}`;
  return `last sequence mismatch: ${headers.get(H.ExpectedLastSeq) ?? ""} vs ${last}`;
}
