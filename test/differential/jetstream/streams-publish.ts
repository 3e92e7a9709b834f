/** Random publications: subjects that streams have and have not, and headers in all combinations. */
import type { Prng } from "../prng.ts";
import type { Request } from "./pair.ts";

const SUBJECTS = ["a.1", "a.2", "a.3", "a.4", "a.1.x", "c", "b.1", "b.2", "b.1.2", "$KV.k.1", "d.1", "d.2", "t.1", "S1", "nobody", "x.1"] as const;

/** One header with its values. */
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["Nats-Msg-Id", ["m1", "m1", "m2", "m3", "", " m1", "é"]],
  ["Nats-Expected-Stream", ["S1", "S1", "S2", "", "s1"]],
  ["Nats-Expected-Last-Sequence", ["0", "1", "2", "3", "5", "-1", "x", "", "18446744073709551615", "+1"]],
  ["Nats-Expected-Last-Subject-Sequence", ["0", "1", "2", "3", "x", ""]],
  ["Nats-Expected-Last-Subject-Sequence-Subject", ["a.1", "a.*", "a.>", "b.1", ">", "a..b", ""]],
  ["Nats-Expected-Last-Msg-Id", ["m1", "m2", "", "x"]],
  ["Nats-Rollup", ["sub", "sub", "all", "SUB", "All", "x", "", " sub"]],
  ["Nats-TTL", ["10s", "never", "1h", "100", "0", "-1", "0.5s", "x", "", "90m", "100.5s", "10000000000000", "-5s", "1d", "1m"]],
  ["Nats-Incr", ["1", "+5", "-3", "0", "x", "", "1.5", "99999999999999999999999", " 1", "+", "1_000"]],
  ["Nats-Counter-Sources", ["{}", "{\"S2\":{\"x\":\"1\"}}", "x"]],
  ["Nats-Schedule", ["@at 2099-01-01T00:00:00Z", "@every 1h", "@hourly", "0 0 0 1 1 *", "0 0 * * * *", "x", "", "@every 0.5s", "@at x", "* * * * *", "0 0 0 31 2 *", "@yearly", "@every 1", "0 0 0 1-5/2 jan,feb mon-fri", "60 * * * * *", "@daily "]],
  ["Nats-Schedule-Target", ["a.4", "a.3", "b.2", "a.*", "a.1", "zz", "", "a..b"]],
  ["Nats-Schedule-TTL", ["10s", "x", "never", "0", "5m"]],
  ["Nats-Schedule-Source", ["a.2", "a.*", "a.1", "zz", "", "a.4"]],
  ["Nats-Schedule-Rollup", ["sub", "all", "x", ""]],
  ["Nats-Schedule-Time-Zone", ["Europe/Berlin", "UTC", "x", "", "Local", "America/New_York"]],
  ["Nats-Schedule-Next", ["purge", "x", "", "2099-01-01T00:00:00Z"]],
  ["Nats-Scheduler", ["a.1", "a.2", "a.*", "", "zz"]],
  ["Nats-Stream-Source", ["S2 1 > > b.1", "x", ""]],
  ["Nats-Marker-Reason", ["MaxAge", "x"]],
  ["KV-Operation", ["PURGE", "DEL", "x"]],
  ["Nats-Required-Api-Level", ["0", "5", "6", "x"]],
  ["Nats-Batch-Id", ["u1", "u2", "x".repeat(64), "x".repeat(65), ""]],
  ["Nats-Batch-Sequence", ["1", "2", "3", "0", "x", ""]],
  ["Nats-Batch-Commit", ["1", "eob", "0", "x", ""]],
  ["Nats-Request-Info", ["{}"]],
  ["nats-msg-id", ["m1"]],
  ["Foo", ["bar", "", "  spaces  ", "é"]],
  ["Nats-Sequence", ["5"]],
  ["Nats-Subject", ["q"]],
];

function header(random: Prng, name: string, values: readonly string[]): string {
  return random.chance(0.03) ? `${name}:${random.pick(values)}` : `${name}: ${random.pick(values)}`;
}

function payload(random: Prng): string {
  return random.chance(0.15) ? "" : random.pick(["x", "hello", "x".repeat(20), "x".repeat(60), "{\"val\":\"1\"}", "é\u0000", "x".repeat(1000)]);
}

/** Headers that go together, by what they are about. */
const THEMES: readonly (readonly string[])[] = [
  ["Nats-Expected-Stream", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject", "Nats-Expected-Last-Msg-Id", "Nats-Msg-Id"],
  ["Nats-Msg-Id", "Nats-Expected-Last-Msg-Id"],
  ["Nats-Rollup", "Nats-TTL", "KV-Operation", "Nats-Marker-Reason"],
  ["Nats-Incr", "Nats-Counter-Sources", "Nats-Msg-Id", "Nats-Rollup", "Nats-Expected-Last-Sequence", "Nats-TTL"],
  ["Nats-Schedule", "Nats-Schedule-Target", "Nats-Schedule-TTL", "Nats-Schedule-Source", "Nats-Schedule-Rollup", "Nats-Schedule-Time-Zone", "Nats-TTL", "Nats-Rollup"],
  ["Nats-Schedule-Next", "Nats-Scheduler", "Nats-Rollup"],
];

const VALUES = new Map(HEADERS);

/** Without the last id: the reference answers a wrong one as if there were no batch, and then never ends that. */
const FAST_HEADERS = HEADERS.slice(0, 8).filter(([name]) => name !== "Nats-Expected-Last-Msg-Id");

/** One publication, waiting for its acknowledgement. */
export function publication(random: Prng): Request {
  const subject = random.chance(0.5) ? random.pick(SUBJECTS.slice(0, 4)) : random.pick(SUBJECTS);
  const lines: string[] = [];
  if (random.chance(0.5)) {
    if (random.chance(0.75)) {
      const theme = random.pick(THEMES);
      for (const name of theme) if (random.chance(0.5)) lines.push(header(random, name, VALUES.get(name) ?? []));
      if (theme.includes("Nats-Schedule") && random.chance(0.6)) lines.push("Nats-Schedule: @every 1h", "Nats-Schedule-Target: a.4");
    } else for (const [name, values] of random.some(1, 4, () => random.pick(HEADERS))) lines.push(header(random, name, values));
  }
  return { subject, payload: payload(random), ...(lines.length === 0 ? {} : { headers: lines }) };
}

/** An atomic batch, mostly in order. */
export function atomicBatch(random: Prng): readonly Request[] {
  const id = random.pick(["u1", "u2", "u3"]);
  const size = 1 + random.below(random.chance(0.1) ? 8 : 4);
  const wrong = random.chance(0.25) ? random.below(size) : -1;
  return Array.from({ length: size }, (_, index) => {
    const sequence = index === wrong ? random.pick(["1", String(index), String(index + 2), "x", ""]) : String(index + 1);
    const lines = [`Nats-Batch-Id: ${id}`, `Nats-Batch-Sequence: ${sequence}`];
    if (index === size - 1 && random.chance(0.9)) lines.push(`Nats-Batch-Commit: ${random.chance(0.9) ? random.pick(["1", "1", "eob"]) : random.pick(["x", "", "EOB", "0"])}`);
    if (random.chance(0.3)) {
      const name = random.pick(["Nats-Msg-Id", "Nats-Expected-Last-Sequence", "Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject", "Nats-Rollup", "Nats-TTL", "Nats-Incr", "Nats-Expected-Last-Msg-Id", "Nats-Expected-Stream", "Nats-Required-Api-Level", "Nats-Schedule"]);
      lines.push(header(random, name, VALUES.get(name) ?? []));
    }
    return { subject: random.pick(SUBJECTS.slice(0, random.chance(0.9) ? 3 : 16)), payload: payload(random), headers: lines };
  });
}

/** What is in the reply subject of a message of a fast batch, after its prefix. */
export interface FastMessage {
  readonly request: Request;
  readonly control: string;
}

/** A fast batch, mostly in order. */
export function fastBatch(random: Prng): readonly FastMessage[] {
  // Each batch has a name of its own: after some ends the reference keeps the name until it has timed out.
  const id = random.chance(0.97) ? `f${random.below(1e6)}` : "x".repeat(65);
  const size = 1 + random.below(5);
  const gap = random.pick(["ok", "fail"]);
  const flow = random.pick(["1", "2", "3", "10", "0", "x", "100000"]);
  const wrong = random.chance(0.3) ? random.below(size) : -1;
  return Array.from({ length: size }, (_, index) => {
    const last = index === size - 1;
    const sequence = index === wrong ? random.pick(["1", String(index), String(index + 2), "x", "0", "-1"]) : String(index + 1);
    const operation = index === wrong && random.chance(0.3) ? random.pick(["0", "1", "2", "3", "4", "5", "x"]) : last && random.chance(0.85) ? random.pick(["2", "2", "3"]) : index === 0 ? "0" : random.chance(0.1) ? "4" : "1";
    // A sequence that comes back after a refused message ends the batch here, and leaves it hanging in the reference: so no headers then.
    const lines = wrong < 0 && random.chance(0.25) ? [header(random, ...random.pick(FAST_HEADERS))] : [];
    return { request: { subject: random.pick(SUBJECTS.slice(0, random.chance(0.9) ? 3 : 16)), payload: payload(random), ...(lines.length === 0 ? {} : { headers: lines }) }, control: `${id}.${flow}.${random.chance(0.97) ? gap : "x"}.${sequence}.${operation}.$FI` };
  });
}
