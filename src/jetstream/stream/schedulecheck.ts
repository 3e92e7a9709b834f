/** Whether the schedule headers of a message make sense. Spec: streams, section 5.8. */
import { isValidLiteralSubject, subjectMatches } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";
import { StoredMessage } from "../store/index.ts";
import { H, type PublishHeaders } from "./headers.ts";
import { type Judgement, Mark, type PublishInput } from "./judgement.ts";
import { isZone, parseSchedule } from "./schedulepattern.ts";
import type { Stream } from "./stream.ts";
import { parseTtl } from "./ttl.ts";

const view = new StoredMessage();

/** Returns why the message is refused; otherwise notes what it is. */
export function examineSchedule(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement): ApiErrorBody | undefined {
  const isOn = stream.config.allow_msg_schedules === true;
  const zone = headers.get(H.ScheduleTimeZone);
  // Looked at first, also where nothing is scheduled.
  if (zone !== undefined && !isZone(zone)) return errorBody(isOn ? 10223 : 10188);
  return examineBeginning(stream, input, headers, into, isOn) ?? examineEnd(stream, input, headers, into);
}

function examineBeginning(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement, isOn: boolean): ApiErrorBody | undefined {
  const text = headers.get(H.Schedule) ?? "";
  if (text === "") return undefined;
  const pattern = parseSchedule(text, headers.get(H.ScheduleTimeZone));
  if (pattern === "pattern") return errorBody(isOn ? 10189 : 10188);
  if (pattern === "zone") return errorBody(isOn ? 10223 : 10188);
  if (pattern.next(stream.stamp.ms) === undefined) return errorBody(isOn ? 10189 : 10188);
  if (!isOn) return errorBody(10188);
  const refusal = examineProduct(stream, headers) ?? examineSubjects(stream, input, headers);
  if (refusal !== undefined) return refusal;
  const rollup = headers.get(H.Rollup) ?? "";
  if (rollup !== "" && rollup.toLowerCase() !== "sub") return errorBody(10192);
  into.isSchedule = true;
  return undefined;
}

/** What the produced messages are to have. */
function examineProduct(stream: Stream, headers: PublishHeaders): ApiErrorBody | undefined {
  const ttl = headers.get(H.ScheduleTtl);
  if (ttl !== undefined && parseTtl(ttl) === undefined) return errorBody(10191);
  const rollup = headers.get(H.ScheduleRollup);
  if (rollup !== undefined && rollup !== "" && rollup !== "sub") return errorBody(10192);
  return ttl !== undefined && ttl !== "" && !stream.config.allow_msg_ttl ? errorBody(10166) : undefined;
}

function examineSubjects(stream: Stream, input: PublishInput, headers: PublishHeaders): ApiErrorBody | undefined {
  const target = headers.get(H.ScheduleTarget) ?? "";
  if (!isValidLiteralSubject(target) || target === input.subject || !isOfStream(stream, target)) return errorBody(10190);
  const source = headers.get(H.ScheduleSource);
  if (source === undefined || source === "") return undefined;
  return !isValidLiteralSubject(source) || source === target || source === input.subject || !isOfStream(stream, source) ? errorBody(10203) : undefined;
}

function isOfStream(stream: Stream, subject: string): boolean {
  return (stream.config.subjects ?? []).some((own) => subjectMatches(subject, toByteString(own)));
}

/** A client ends a schedule by what a single schedule's product looks like; its message may be a schedule as well. */
function examineEnd(stream: Stream, input: PublishInput, headers: PublishHeaders, into: Judgement): ApiErrorBody | undefined {
  const next = headers.get(H.ScheduleNext) ?? "";
  const scheduler = headers.get(H.Scheduler) ?? "";
  if (next === "" && scheduler === "") return undefined;
  if (next !== "purge" || !isValidLiteralSubject(scheduler) || scheduler === input.subject) return errorBody(10212);
  if (!stream.config.allow_msg_schedules) return errorBody(10188);
  const last = stream.store.subjectState(scheduler)?.last;
  // A schedule that is gone already is fine.
  if (last === undefined) return undefined;
  if (!stream.store.load(last, view) || (view.marks & Mark.Schedule) === 0) return errorBody(10212);
  into.endsSchedule = scheduler;
  return undefined;
}
