/** Random values for sessions about consumers: subjects, configurations, pull requests; mostly good, some odd, some of the wrong type. */
import type { Prng } from "../prng.ts";

/** What a session is about. */
export interface Theme {
  /** How likely a field is odd. */
  readonly wild: number;
  /** How likely a consumer pushes. */
  readonly push: number;
  readonly priority: number;
  readonly policy: string | undefined;
  readonly retention: string;
  /** Messages come again while the session goes on. */
  readonly timed: boolean;
  /** How likely a publication has messages that flow control notices. */
  readonly big: number;
  readonly rollups: number;
}

const SUBJECTS = ["s.a", "s.b", "s.a", "s.b", "s.c", "s.a.x", "s.b.x", "s.c.1", "s.c.x"];
const FILTERS = [...SUBJECTS, "s.*", "s.>", "s.*.x", "s.a.*", "s.c.>", ">", "x.y", "t.a"];
const BAD_FILTERS = ["", "s..a", "s.a.", ".s", "s.>.a", "s.a b", "s.a*", "$JS.>", "s.\t", null, 5];
const SECOND = 1_000_000_000;
const HOUR = 3600 * SECOND;

export function subject(random: Prng): string {
  return random.pick(random.chance(0.7) ? SUBJECTS : FILTERS);
}

type Config = Record<string, unknown>;

const ODD: readonly unknown[] = [null, "", "x", "5", 0, 1, -1, -2, 1.5, 1e3, true, false, [], {}, [1], ["a"], { a: "b" }, 9007199254740993, "1s", 1e30, -1e30];

/** Fields with what they may hold, good and bad; a wild configuration has some of them. */
const FIELDS: Readonly<Record<string, readonly unknown[]>> = {
  description: ["text", "é", "x".repeat(4096), "x".repeat(4097), "<&>"],
  deliver_policy: ["all", "last", "new", "by_start_sequence", "by_start_time", "last_per_subject", "undefined", "x", "All"],
  opt_start_seq: [0, 1, 3, 99, -1],
  opt_start_time: ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "x", "2020-01-01T00:00:00.123456789+02:00", "2020-01-01"],
  ack_policy: ["none", "all", "explicit", "flow_control", "x"],
  ack_wait: [0, 1, -1, HOUR, 30 * SECOND],
  max_deliver: [0, 1, 2, 3, -1, -2, -5],
  backoff: [[], [HOUR], [HOUR, 2 * HOUR], [HOUR, 1, HOUR], [-1], [0], [0, HOUR], null],
  filter_subject: [...FILTERS, ...BAD_FILTERS],
  filter_subjects: [["s.a"], ["s.a", "s.b"], ["s.a", "s.a"], ["s.*", "s.a"], [""], [], ["s.a", ""], [null], ["s..a"], ["s.a", "x.y"], [5]],
  replay_policy: ["instant", "original", "x"],
  rate_limit_bps: [0, 1, -1, 1_000_000_000],
  sample_freq: ["100", "100%", "0", "-1", "x", "200", "%", "100%%", " 100", "+100", "1e2", "99999999999999999999"],
  max_waiting: [0, 1, 2, 3, -1, 512],
  max_ack_pending: [0, 1, 2, 3, -1, -2, 1000],
  flow_control: [true, false],
  headers_only: [true, false],
  max_batch: [0, 1, 2, 5, -1],
  max_expires: [0, -1, 1, 999_999, 1_000_000, SECOND, 90 * SECOND, 1_500_000],
  max_bytes: [0, -1, 1, 60, 100, 1000],
  deliver_subject: ["d.1", "d.2", "d.*", "d..1", "", "s.a", "s.z", "d.>", "$JS.x", "d 1"],
  deliver_group: ["q", "", "a b", "q.r", "*"],
  idle_heartbeat: [0, -1, 1, 99_999_999, 100_000_000, SECOND, HOUR],
  inactive_threshold: [0, -1, HOUR, 100 * SECOND, 90 * SECOND],
  num_replicas: [0, 1, 2, 3, -1],
  mem_storage: [true, false],
  direct: [true, false],
  sourcing: [true, false],
  metadata: [{}, { a: "b" }, { "_nats.x": "y", b: "c" }, { "_nats.req.level": "9" }, { "_nats.ver": "x", "_nats.level": "y" }, { a: 1 }, { a: null }, null],
  pause_until: ["2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "x", null],
  priority_groups: [["g"], ["g", "h"], [], [""], ["a b"], ["x".repeat(17)], ["g", ""], null],
  priority_policy: ["none", "overflow", "pinned_client", "prioritized", "x", ""],
  priority_timeout: [0, HOUR, 1],
  unknown_field: [1],
  name: ["A", "B", "", "a.b", "é"],
  durable_name: ["A", "B", "", "a.b"],
};

/** A configuration that most servers would take. */
export function config(random: Prng, theme: Theme): Config {
  const made: Config = {};
  const isPush = random.chance(theme.push);
  const set = (probability: number, field: string, ...values: readonly unknown[]): void => {
    if (random.chance(probability)) made[field] = random.pick(values);
  };
  made["ack_policy"] = random.pick(["explicit", "explicit", "explicit", "all", "none"]);
  if (theme.retention === "workqueue") made["ack_policy"] = random.chance(0.95) ? "explicit" : "none";
  set(0.4, "deliver_policy", "all", "all", "last", "new", "last_per_subject", "by_start_sequence", "by_start_time");
  if (theme.retention === "workqueue" && random.chance(0.9)) delete made["deliver_policy"];
  if (made["deliver_policy"] === "by_start_sequence") made["opt_start_seq"] = random.pick([1, 2, 4, 20]);
  if (made["deliver_policy"] === "by_start_time") made["opt_start_time"] = random.pick(["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "{now}"]);
  if (random.chance(0.5)) made["filter_subject"] = random.pick(FILTERS);
  else if (random.chance(0.3)) made["filter_subjects"] = random.pick([["s.a"], ["s.a", "s.b"], ["s.b", "s.a"], ["s.*", "s.*.x"], ["s.c.>", "s.a", "s.b.x"], ["s.a", "s.a.>"]]);
  if (made["deliver_policy"] === "last_per_subject" && made["filter_subject"] === undefined && made["filter_subjects"] === undefined) made["filter_subject"] = random.pick(["s.>", ">", "s.*"]);
  set(0.25, "max_deliver", 1, 2, 2, 3, -1);
  set(0.3, "max_ack_pending", 1, 2, 3, -1, 1000);
  set(0.1, "ack_wait", HOUR, 20 * SECOND);
  if (theme.timed) made["ack_wait"] = random.pick([200_000_000, 250_000_000]);
  set(0.08, "backoff", [HOUR], [HOUR, 2 * HOUR], ...(theme.timed ? [[150_000_000, HOUR], [150_000_000, 200_000_000]] : []));
  set(0.1, "sample_freq", "100", "100%", "0");
  set(0.12, "headers_only", true);
  set(0.1, "inactive_threshold", HOUR, 100 * SECOND);
  if (random.chance(0.3)) made["inactive_threshold"] = HOUR;
  set(0.05, "replay_policy", "original", "instant");
  set(0.08, "mem_storage", true);
  set(0.05, "num_replicas", 1);
  set(0.1, "metadata", { a: "b" }, { b: "c", a: "d" });
  set(0.1, "description", "text");
  set(0.06, "pause_until", "2099-01-01T00:00:00Z", "2001-01-01T00:00:00Z");
  if (isPush) {
    made["deliver_subject"] = random.pick(["d.1", "d.2", "d.3", "d.1"]);
    set(0.25, "deliver_group", "q", "r");
    if (random.chance(0.25 + theme.big)) Object.assign(made, { flow_control: true, idle_heartbeat: random.pick([HOUR, SECOND / 10]) });
    else set(0.15, "idle_heartbeat", HOUR, SECOND / 10, SECOND / 5);
    set(0.05, "rate_limit_bps", 1_000_000_000);
    if (made["ack_policy"] === "none") delete made["max_ack_pending"];
    if (random.chance(0.05 + theme.big / 4)) {
      made["ack_policy"] = "flow_control";
      for (const field of ["ack_wait", "max_deliver", "backoff"]) delete made[field];
    }
  } else {
    set(0.2, "max_waiting", 1, 2, 3);
    set(0.1, "max_batch", 1, 2, 5);
    set(0.1, "max_bytes", 60, 150, 1000);
    set(0.1, "max_expires", SECOND, 7200 * SECOND, 2 * HOUR);
    if (random.chance(theme.priority)) {
      made["priority_policy"] = theme.policy ?? random.pick(["overflow", "pinned_client", "prioritized"]);
      made["priority_groups"] = random.pick([["g"], ["g"], ["g", "h"]]);
      if (made["priority_policy"] === "pinned_client") set(0.3, "priority_timeout", HOUR, 300 * SECOND);
    }
  }
  for (const [field, values] of Object.entries(FIELDS)) if (random.chance(theme.wild)) made[field] = random.pick(random.chance(0.85) ? values : ODD);
  return made;
}

const PULL_ODD: readonly string[] = ["x", "{", "{}", "[]", "null", "-1", "0", "5x", "1.5", " 2 ", "+2", '{"batch":"1"}', '{"batch":null}', '{"zz":1}', '{"batch":-1}', '{"batch":1.5}', '{"no_wait":1}', '{"expires":"1s"}', '{"expires":-1}', '{"group":5}', '{"id":5}', '{"batch":1}x', '{"batch":1,}', '{"max_bytes":-1}', '{"idle_heartbeat":-1}', "99999999999999999999", '{"priority":-1}', '{"priority":10}', '{"priority":"1"}', '{"batch":9223372036854775808}', '{"Batch":2}', '{"batch":2,"batch":3}', "2\r\n", "\t"];

/** The body of a pull request, and whether it is over soon. */
export function pullBody(random: Prng, theme: Theme): { readonly body: string; readonly ends: boolean } {
  if (random.chance(0.05 + theme.wild)) return { body: random.pick(PULL_ODD), ends: false };
  if (random.chance(0.15)) return { body: random.pick(["", "1", "2", "3"]), ends: false };
  const made: Config = {};
  const set = (probability: number, field: string, ...values: readonly unknown[]): void => {
    if (random.chance(probability)) made[field] = random.pick(values);
  };
  set(0.9, "batch", 1, 2, 3, 5, 20);
  const ends = random.chance(0.2);
  if (ends) made["expires"] = random.pick([10_000_000, 30_000_000]);
  else set(0.3, "expires", HOUR, HOUR, 10 * SECOND);
  set(0.4, "no_wait", true);
  set(0.15, "max_bytes", 1, 50, 100, 150, 1000, 48);
  if (made["expires"] === HOUR) set(0.2, "idle_heartbeat", HOUR / 4, SECOND / 10);
  set(0.02, "idle_heartbeat", HOUR, 1, -1);
  if (random.chance(theme.priority)) {
    set(0.95, "group", "g", "g", "g", "g", "h", "x");
    if (theme.policy === "overflow" || random.chance(0.1)) {
      set(0.4, "min_pending", 1, 2, 5, 0, -1);
      set(0.4, "min_ack_pending", 1, 2, 5, 0, -1);
    }
    if (theme.policy === "pinned_client" || random.chance(0.1)) set(0.4, "id", "{pin}", "{pin}", "{pin}", "wrong", "");
    if (theme.policy === "prioritized" || random.chance(0.1)) set(0.8, "priority", 0, 1, 2, 9, 5);
  } else set(0.02, "group", "g");
  return { body: JSON.stringify(made), ends };
}
