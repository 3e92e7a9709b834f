/** Which subjects a stream may have: on its own, beside the server's own subjects, beside other streams. Spec: streams, section 4.2, 17. */
import { isSubsetOf, isValidConfiguredSubject, subjectsOverlap } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { goQuote } from "../../util/quote.ts";
import { apiError } from "../api/errors.ts";
import type { AssetAccount } from "../seams.ts";
import type { StreamConfig } from "../wire.ts";
import { type DraftConfig, invalidConfig } from "./config.ts";

const API_SUBJECTS = ["$JS.>", "$JSC.>", "$NRG.>"];
const EVENT_SUBJECTS = "$JS.EVENT.>";
const SYSTEM_SUBJECTS = "$SYS.>";
const SYSTEM_ACCOUNT_SUBJECTS = "$SYS.ACCOUNT.>";

/** Throws `ApiError` for subjects that no stream may have. */
export function checkSubjects(draft: DraftConfig): void {
  const seen: string[] = [];
  for (const text of draft.subjects ?? []) {
    const subject = toByteString(text);
    if (!isValidConfiguredSubject(subject)) throw invalidConfig("invalid subject");
    const clash = seen.find((other) => subjectsOverlap(other, subject));
    if (clash !== undefined) throw invalidConfig(`subject ${goQuote(fromByteString(clash))} overlaps with ${goQuote(text)}`);
    checkAgainstServer(subject, draft);
    seen.push(subject);
  }
}

function checkAgainstServer(subject: string, draft: DraftConfig): void {
  if (subject === ">") {
    if (!draft.no_ack) throw invalidConfig("capturing all subjects requires no-ack to be true");
    if (draft.num_replicas > 1) throw invalidConfig("capturing all subjects requires replicas of 1");
    return;
  }
  if (draft.no_ack) return;
  if (API_SUBJECTS.some((own) => subjectsOverlap(subject, own)) && !isSubsetOf(subject, EVENT_SUBJECTS)) throw invalidConfig("subjects that overlap with jetstream api require no-ack to be true");
  if (subjectsOverlap(subject, SYSTEM_SUBJECTS) && !isSubsetOf(subject, SYSTEM_ACCOUNT_SUBJECTS)) throw invalidConfig("subjects that overlap with system api require no-ack to be true");
}

/** Throws 10065 when another stream of the account has one of these subjects. */
export function checkOverlap(account: AssetAccount, config: StreamConfig): void {
  const subjects = (config.subjects ?? []).map(toByteString);
  for (const stream of account.streams()) {
    if (stream.name === config.name) continue;
    for (const other of stream.config.subjects ?? []) {
      const theirs = toByteString(other);
      if (subjects.some((subject) => subjectsOverlap(subject, theirs))) throw apiError(10065);
    }
  }
}
