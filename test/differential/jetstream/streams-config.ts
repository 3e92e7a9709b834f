/** Random configurations of streams: mostly sound, some with a field that is not. Their names and subjects are few, so that streams meet. */
import type { Prng } from "../prng.ts";

export type Fields = Record<string, unknown>;

const SECOND = 1_000_000_000;

export const STREAM_NAMES = ["S1", "S2", "S3"] as const;

/** Subjects by stream, the first half most likely. */
const SUBJECTS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  S1: [["a.>"], ["a.*"], ["a.*", "c"], ["a.1", "a.2", "a.3"], ["a.*.x"]],
  S2: [["b.>"], ["b.*", "$KV.k.>"], ["b.1"], ["b.*", "t.>"]],
  S3: [["d.>"], ["d.*"]],
};

const flags = [true, true, false] as const;

/** Values that a sound client would send. A field that is there twice as often as others is there twice. */
const USUAL: readonly (readonly [string, readonly unknown[]])[] = [
  ["description", ["", "hello", "é <b>&</b> \u2028 \u0001 \\ \""]],
  ["retention", ["limits", "interest", "workqueue"]],
  ["max_consumers", [-1, 0, 1, 2]],
  ["max_msgs", [-1, 0, 1, 3, 5]],
  ["max_msgs", [1, 2, 3]],
  ["max_bytes", [-1, 0, 1, 40, 100, 250, 1000]],
  ["max_bytes", [90, 120, 200]],
  ["max_age", [0, 60 * SECOND, 3600 * SECOND, 100_000_000_000]],
  ["max_msgs_per_subject", [-1, 0, 1, 2, 3]],
  ["max_msgs_per_subject", [1, 2]],
  ["max_msg_size", [-1, 0, 1, 5, 60, 1000]],
  ["discard", ["old", "new", "new", "New", "OLD"]],
  ["storage", ["file", "memory", "memory"]],
  ["num_replicas", [0, 1]],
  ["duplicate_window", [0, 60 * SECOND, 120 * SECOND, 3600 * SECOND, 100_000_000]],
  ["placement", [{}, { cluster: "x" }, { tags: [] }, { tags: ["a"] }, { cluster: "" }, null]],
  ["compression", ["none", "s2"]],
  ["first_seq", [0, 1, 5, 1000]],
  ["subject_transform", [{ src: "a.*", dest: "t.{{wildcard(1)}}" }, { src: ">", dest: "x.>" }, { src: "a.1", dest: "a.2" }, { src: "b.>", dest: "b.all.>" }, { src: "", dest: "q.>" }, { src: "a.*", dest: "x.$1.{{partition(3,1)}}" }]],
  ["republish", [{ src: "a.>", dest: "rep.>" }, { dest: "rep.>" }, { src: "a.*", dest: "rep.$1", headers_only: true }, { src: ">", dest: "rep.{{partition(2,1)}}.>" }, { src: "b.>", dest: "rep.b.>" }]],
  ["allow_direct", flags],
  ["allow_direct", [true]],
  ["discard_new_per_subject", flags],
  ["deny_delete", flags],
  ["deny_purge", flags],
  ["allow_rollup_hdrs", flags],
  ["allow_rollup_hdrs", [true]],
  ["consumer_limits", [{}, { inactive_threshold: SECOND }, { max_ack_pending: 5 }, null]],
  ["allow_msg_ttl", flags],
  ["allow_msg_ttl", [true]],
  ["subject_delete_marker_ttl", [0, SECOND, 60 * SECOND, 90.5 * SECOND]],
  ["allow_msg_counter", flags],
  ["allow_atomic", flags],
  ["allow_atomic", [true]],
  ["allow_msg_schedules", flags],
  ["persist_mode", ["", "default", "async"]],
  ["allow_batched", flags],
  ["metadata", [{}, { a: "b" }, { "_nats.ver": "x", "_nats.level": "7" }, { "_nats.req.level": "3", z: "", "<": "&" }, { "10": "x", "9": "y", b: "z" }]],
  ["pedantic", [true, false]],
];

/** Values that a field should not have; those of `*` for any. */
const ODD: Readonly<Record<string, readonly unknown[]>> = {
  "*": [null, "", "x", 5, -5, -1, 0, 1.5, true, false, [], {}, [1], ["x"], { x: 1 }, "1s", 1e30, -1e30, 9007199254740993, "limits"],
  name: ["", "a b", "a.b", "S*", "S>", "S\\1", "S/1", "x".repeat(255), "x".repeat(256), "é", "S1 ", 5, null],
  description: ["x".repeat(4096), "x".repeat(4097), 5],
  subjects: [[], [""], ["a..b"], ["a.>.b"], ["a b"], ["a.1", "a.1"], ["a.*", "a.1"], [">"], ["*"], ["$JS.API.>"], ["$JS.EVENT.x.>"], ["$JS.EVENT.ADVISORY.x.*"], ["$SYS.>"], ["$SYS.ACCOUNT.>"], ["$SYS.ACCOUNT.x"], ["$JSC.x"], ["$NRG.>"], ["*.>"], [" a.1"], ["a.1 "], "a.1", null, [null], ["a.1", 5], ["é.1"], ["$JS"], ["$SYS"], ["*.API.x"], ["$KV.>"], ["a.*", "*.1"], ["x.y", "x.y.z", "x.*"]],
  retention: ["Limits", "INTEREST", "work_queue", "", null, 5],
  max_consumers: [-2, -1e10, 1e10, 2147483648],
  max_msgs: [-2, 9223372036854775807, -9223372036854775808, "5"],
  max_bytes: [-2, 1e18, 300_000_000, 70_000_000],
  max_age: [-1, 1, 99_999_999, 100_000_000, 9e18],
  max_msgs_per_subject: [-2, 1e15],
  max_msg_size: [-2, 2147483647, 2147483648, -2147483649],
  discard: ["x", "", null],
  storage: ["File", "MEMORY", "disk", "", null],
  num_replicas: [-1, 2, 3, 5, 6, 1e10],
  duplicate_window: [-1, 1, 99_999_999, 61 * SECOND, 86_400 * SECOND],
  placement: [{ preferred: "x" }, { cluster: 5 }, { tags: "x" }, { x: 1 }],
  compression: ["S2", "", "zstd", null, "None"],
  first_seq: [-1, 18446744073709551615, 1e15, 1.5],
  subject_transform: [{ src: "a.*", dest: "b.$2" }, { src: "a..b", dest: "x" }, { src: "a.*", dest: "" }, { src: "a.>", dest: "b" }, { src: "*", dest: "{{bad(1)}}" }, { src: "a.*", dest: "x.{{split(1,-)}}" }, { src: 5 }, {}, { dest: "x" }],
  republish: [{}, { dest: "a.>" }, { dest: "rep.*" }, { src: "x.>", dest: "rep.>" }, { src: "a.*", dest: "rep.$2" }, { src: "a.*.>", dest: "a.1" }, { src: "a.>", dest: "" }, { src: "a..b", dest: "rep" }, { dest: ">" }, { src: ">", dest: ">" }, { dest: "$JS.API.x" }],
  mirror_direct: [true],
  sealed: [true],
  consumer_limits: [{ inactive_threshold: -1 }, { max_ack_pending: -1 }, { x: 1 }, { max_ack_pending: 1e6 }, { inactive_threshold: "1s" }],
  subject_delete_marker_ttl: [-1, 1, 500_000_000, 999_999_999],
  persist_mode: ["Async", "ASYNC", "x", null],
  metadata: [{ a: 5 }, null, [], { a: "x".repeat(131_072) }, { "": "" }],
  template_owner: ["x"],
  no_ack: [true],
  mirror: [{ name: "" }, { name: "S 1" }, {}, null, { name: "S1", x: 1 }],
  sources: [[{}], [null], null, {}, [{ name: "" }]],
};

function sourceOf(random: Prng, origins: readonly string[]): Fields {
  const source: Fields = { name: random.pick(origins) };
  if (random.chance(0.3)) source["filter_subject"] = random.pick(["a.1", "a.*", ">", "b.>", "zz", "", "a..b", "a b"]);
  if (random.chance(0.2)) source["opt_start_seq"] = random.pick([0, 1, 2, 3, 100]);
  if (random.chance(0.1)) source["opt_start_time"] = random.pick(["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "x", "2020-01-01T00:00:00+02:00"]);
  if (random.chance(0.2)) source["subject_transforms"] = random.pick<unknown>([[{ src: "a.*", dest: "z.$1" }], [{ src: "a.1", dest: "z.1" }, { src: "a.2", dest: "" }], [{ src: ">", dest: "src.>" }], [], [{ src: "a.*", dest: "z.$1" }, { src: "a.1", dest: "z" }], [{ src: "a.*", dest: "z.$3" }], [{ src: "a..", dest: "z" }], null]);
  if (random.chance(0.05)) source["external"] = random.pick<unknown>([{ api: "$JS.X.API" }, { api: "$JS.API", deliver: "x" }, { api: "a b" }, { api: "x.>" }, { api: "x", deliver: "y.*" }, {}, null, { api: "$JS.X.API", deliver: "a.1" }]);
  if (random.chance(0.05)) source["consumer"] = random.pick<unknown>([{ name: "x" }, {}, { name: "x", deliver_subject: "y" }, { name: "a.b", deliver_subject: "y" }, { deliver_subject: "y" }, { name: "x", deliver_subject: "y.*" }, null]);
  return source;
}

/** A mirror or sources of the other streams. */
function copying(random: Prng, name: string, fields: Fields): void {
  const origins = STREAM_NAMES.filter((each) => each !== name);
  if (random.chance(0.4)) {
    fields["mirror"] = sourceOf(random, origins);
    if (random.chance(0.8)) delete fields["subjects"];
    if (random.chance(0.3)) fields["mirror_direct"] = random.chance(0.8);
  } else {
    fields["sources"] = random.some(1, 2, () => sourceOf(random, random.chance(0.9) ? origins : STREAM_NAMES));
    if (random.chance(0.6)) delete fields["subjects"];
  }
}

export interface ConfigMade {
  readonly name: string;
  readonly fields: Fields;
}

/** `odd`: the chance that a field is not as it should be. */
export function streamConfig(random: Prng, { odd, copies = 0, name = random.pick(STREAM_NAMES) }: { readonly odd: number; readonly copies?: number; readonly name?: string }): ConfigMade {
  const subjects = random.pick(SUBJECTS[name] ?? [["z"]]);
  const fields: Fields = { name, subjects };
  if (random.chance(0.02)) delete fields["subjects"];
  if (random.chance(0.5)) fields["storage"] = "memory";
  for (const [field, values] of random.some(0, random.chance(0.3) ? 10 : 4, () => random.pick(USUAL))) fields[field] = random.pick(values);
  if (random.chance(copies)) copying(random, name, fields);
  if (random.chance(odd)) {
    for (const field of random.some(1, 2, () => random.pick(random.chance(0.8) ? Object.keys(ODD) : USUAL.map(([key]) => key)))) {
      if (field === "*") fields[random.pick(["unknown", "Name", "MAX_MSGS", "subject", "Subjects"])] = random.pick(ODD["*"] ?? []);
      else fields[field] = random.pick(random.chance(0.7) ? (ODD[field] ?? ODD["*"] ?? []) : (ODD["*"] ?? []));
    }
  }
  return { name, fields };
}

/** The configuration somewhat changed, for an update. */
export function changed(random: Prng, { name, fields }: ConfigMade, odd: number): ConfigMade {
  const other = streamConfig(random, { odd, name }).fields;
  const mixed: Fields = { ...fields };
  for (const field of Object.keys(other)) if (field === "subjects" ? random.chance(0.2) : random.chance(0.7)) mixed[field] = other[field];
  for (const field of Object.keys(mixed)) if (field !== "name" && random.chance(0.1)) delete mixed[field];
  if (random.chance(0.05)) mixed["sealed"] = true;
  return { name, fields: withoutTraps(mixed) };
}

/**
 * What the reference takes in an update and then can not do: republishing without a destination, which it turns into `>`, and so into a loop; sources whose
 * filter is no subject, which never copy. This server does not republish, and refuses the filter.
 */
function withoutTraps(fields: Fields): Fields {
  const kept = { ...fields };
  const { republish, sources } = fields as { readonly republish?: { readonly dest?: unknown } | null; readonly sources?: readonly ({ readonly filter_subject?: unknown } | null)[] | null };
  if (republish && (republish.dest === undefined || republish.dest === "")) delete kept["republish"];
  if (Array.isArray(sources) && sources.some((source) => source && (source.filter_subject === "a b" || source.filter_subject === "a..b"))) delete kept["sources"];
  return kept;
}

const PIECES = ["{", "}", "[", "]", ",", ":", "\"", "\\", "null", "true", "5", "-", "1e5", " ", "\n", "\t", "\u0000", "é", "'", "\\u00", "\\ud800", "tru", "01", "1.", "{}", "[]", ",,"];

/** The text with something in it that does not belong there. */
export function damagedJson(random: Prng, text: string): string {
  const at = random.below(text.length + 1);
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text + random.pick(PIECES);
    case 2:
      return text.slice(0, at) + text.slice(at + 1 + random.below(4));
    case 3:
      return text.replace(/"(\w+)":/, (_, key: string) => `"${random.chance(0.5) ? key.toUpperCase() : key}":null,"${key}":`);
    default:
      return text.slice(0, at) + random.pick(PIECES) + text.slice(at + random.below(2));
  }
}
