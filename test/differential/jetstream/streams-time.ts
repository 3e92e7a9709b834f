/**
 * Sessions about what happens in its own time: messages that expire, markers they leave, schedules that fire. They wait for seconds, so they are for the hunt only.
 */
import type { Prng } from "../prng.ts";
import { requestStep, type Session, type Step } from "./session.ts";
import { everything, LISTEN } from "./streams.ts";
import type { Fields } from "./streams-config.ts";

const SECOND = 1_000_000_000;
const SUBJECTS = ["a.1", "a.2", "a.3", "a.4"] as const;

/** Until all that a session has let expire is gone, markers of markers included. */
function wait(milliseconds: number): Step {
  return {
    text: `(wait ${milliseconds})`,
    run: async () => {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      return { ours: [], theirs: [] };
    },
  };
}

function config(random: Prng): Fields {
  const fields: Fields = { name: "S1", subjects: ["a.>"], storage: random.pick(["file", "memory"]), allow_msg_ttl: true, republish: { src: "a.>", dest: "rep.>" } };
  if (random.chance(0.4)) fields["max_age"] = random.pick([0.8 * SECOND, SECOND, 1.5 * SECOND]);
  if (random.chance(0.5)) fields["subject_delete_marker_ttl"] = random.pick([SECOND, 1.5 * SECOND, 3600 * SECOND]);
  if (random.chance(0.4)) fields["max_msgs_per_subject"] = random.pick([1, 2, 3]);
  if (random.chance(0.5)) fields["allow_msg_schedules"] = true;
  if (random.chance(0.3)) fields["allow_rollup_hdrs"] = true;
  if (random.chance(0.2)) fields["max_msgs"] = random.pick([2, 3, 5]);
  if (random.chance(0.2)) fields["subject_transform"] = { src: "a.1", dest: "a.2" };
  return fields;
}

function headers(random: Prng, schedules: boolean): readonly string[] {
  const lines: string[] = [];
  if (random.chance(0.5)) lines.push(`Nats-TTL: ${random.pick(["1", "1s", "1.9s", "never", "1h"])}`);
  if (random.chance(0.1)) lines.push(`KV-Operation: ${random.pick(["PURGE", "DEL"])}`);
  if (random.chance(0.1)) lines.push("Nats-Marker-Reason: MaxAge");
  if (random.chance(0.1)) lines.push(`Nats-Rollup: ${random.pick(["sub", "all"])}`);
  if (random.chance(0.2)) lines.push(`Nats-Msg-Id: ${random.pick(["m1", "m2"])}`);
  if (random.chance(0.2)) lines.push("Foo: bar");
  if (schedules) {
    lines.push("Nats-Schedule: @at 2020-01-01T00:00:00Z", `Nats-Schedule-Target: ${random.pick(SUBJECTS)}`);
    if (random.chance(0.3)) lines.push(`Nats-Schedule-TTL: ${random.pick(["1s", "never", "1h"])}`);
    if (random.chance(0.3)) lines.push(`Nats-Schedule-Source: ${random.pick(SUBJECTS)}`);
    if (random.chance(0.2)) lines.push("Nats-Schedule-Rollup: sub");
  }
  return lines;
}

export function timeSession(random: Prng): Session {
  const fields = config(random);
  const steps: Step[] = [LISTEN, requestStep({ subject: "$JS.API.STREAM.CREATE.S1", payload: JSON.stringify(fields) })];
  // Of several schedules that are due the reference takes any first.
  const count = 2 + random.below(8);
  const scheduled = random.chance(0.6) ? random.below(count) : -1;
  for (let at = 0; at < count; at++) {
    const lines = headers(random, at === scheduled);
    steps.push(requestStep({ subject: random.pick(SUBJECTS), payload: random.pick(["x", "", "hello"]), ...(lines.length === 0 ? {} : { headers: lines }) }));
  }
  steps.push(wait(4500), everything(4000));
  return steps;
}
