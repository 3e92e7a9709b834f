/** Random sessions about consumers: what a step is, and how a session is put together from a seed. Subjects and bodies are byte strings. */
import { Prng } from "../prng.ts";
import { config, pullBody, subject, type Theme } from "./consumers-values.ts";

export type Op =
  /** A request with an inbox of its own. */
  | { readonly kind: "request"; readonly subject: string; readonly body: string; readonly header: string }
  | { readonly kind: "publish"; readonly messages: readonly { readonly subject: string; readonly header: string; readonly payload: string }[] }
  /** A pull request; with `ends` it is over soon, and its end is waited for. `max`: the inbox takes so many messages. */
  | { readonly kind: "pull"; readonly consumer: string; readonly body: string; readonly header: string; readonly ends: boolean; readonly max: number }
  /** Answers the delivery number `pick` (modulo those there were); `edit` puts another token in a place of the subject. */
  | { readonly kind: "ack"; readonly pick: number; readonly payload: string; readonly header: string; readonly replies: boolean; readonly edit: readonly [place: number, token: string] | undefined }
  | { readonly kind: "raw"; readonly subject: string; readonly payload: string }
  | { readonly kind: "subscribe"; readonly name: string; readonly subject: string; readonly group: string }
  | { readonly kind: "unsubscribe"; readonly name: string }
  /** Forgets the inbox of the pull number `pick` from behind. */
  | { readonly kind: "abandon"; readonly pick: number }
  /** Answers the last question of flow control. */
  | { readonly kind: "flow"; readonly header: string }
  /** So much time passes. */
  | { readonly kind: "pass"; readonly milliseconds: number };

export interface Session {
  readonly stream: Readonly<Record<string, unknown>>;
  readonly ops: readonly Op[];
}

export const STREAM = "S";
const CONSUMERS = ["A", "B", "C"];
/** `{name}` stands for the last name that the server made up. */
const TARGETS = [...CONSUMERS, ...CONSUMERS, ...CONSUMERS, "{name}", "{name}", "D", "X.Y"];
export const DELIVER_SUBJECTS = ["d.1", "d.2", "d.3"];

const ACKS = ["", "+ACK", "+OK", "+ACK", "", "-NAK", "-NAK", "-NAK 1h", '-NAK {"delay":3600000000000}', "-NAK x", '-NAK {"delay":"5s"}', '-NAK {"delay":1.5}', "-NAK {", "-NAK1h", "-NAK\t1h ", "+WPI", "+WPI ", "+WPI x", "+TERM", "+TERM", "+TERM because", "+TERM  \t two  words ", "+TERMx", "+NXT", "+NXT", "+NXT 2", "+NXT2", '+NXT {"batch":2}', '+NXT {"batch":2,"no_wait":true}', '+NXT {"no_wait":true}', "+NXT {", "+NXT x", "+nxt", "garbage", " ", "+ACK ", " +ACK", "\r\n", "+ACKS", "-NAKED"];

function streamConfig(random: Prng, theme: Theme): Record<string, unknown> {
  const stream: Record<string, unknown> = { name: STREAM, subjects: random.pick([["s.>"], ["s.>"], ["s.>"], ["s.a", "s.b", "s.*.x", "s.c.1"], ["s.*", "s.*.x"]]), storage: "memory", retention: theme.retention, allow_rollup_hdrs: true };
  if (random.chance(0.15)) stream["storage"] = "file";
  if (random.chance(0.15)) stream["max_msgs_per_subject"] = random.pick([1, 1, 2]);
  if (random.chance(0.1)) stream["max_msgs"] = random.pick([3, 6]);
  if (random.chance(0.1)) stream["max_consumers"] = random.pick([1, 2]);
  if (random.chance(0.15)) stream["consumer_limits"] = random.pick([{ max_ack_pending: 2 }, { max_ack_pending: 5, inactive_threshold: 3600_000_000_000 }, { inactive_threshold: 100_000_000_000 }]);
  if (random.chance(0.05)) stream["first_seq"] = 10;
  if (random.chance(0.05)) stream["subject_transform"] = { src: "s.>", dest: "t.>" };
  return stream;
}

/** Steps by name, and how often each is taken where a session has no preference. */
type Maker = (random: Prng, theme: Theme) => Op;

const request = (to: string, body: string, header = ""): Op => ({ kind: "request", subject: `$JS.API.${to}`, body, header });
const LEVELS = ["", "", "", "", "", "", "", "", "", "", "Nats-Required-Api-Level: 0\r\n", "Nats-Required-Api-Level: 5\r\n", "Nats-Required-Api-Level: 6\r\n", "Nats-Required-Api-Level: x\r\n", "Nats-Stream-Identity: abc\r\n"];

const create: Maker = (random, theme) => {
  const name = random.pick(CONSUMERS);
  const form = random.pick(["durable", "durable", "named", "named", "named durable", "named durable", "unnamed", "filtered", "odd"]);
  const wanted = config(random, theme);
  let to = `CONSUMER.CREATE.${STREAM}`;
  if (form === "durable") to = `CONSUMER.DURABLE.CREATE.${STREAM}.${name}`;
  else if (form !== "unnamed") to = `CONSUMER.CREATE.${STREAM}.${name}`;
  if (form === "durable" || form === "named durable") wanted["durable_name"] = name;
  if (form === "filtered") {
    const filter = subject(random);
    to += `.${filter}`;
    if (random.chance(0.8)) wanted["filter_subject"] = filter;
    if (random.chance(0.5)) wanted["durable_name"] = name;
    if (random.chance(0.85)) delete wanted["filter_subjects"];
  }
  if (form === "unnamed" && random.chance(0.3)) wanted["name"] = random.pick([...CONSUMERS, "", "a b", "a/b", "x".repeat(300)]);
  if (form === "odd") {
    to = random.pick([`CONSUMER.CREATE.${STREAM}.${name}`, `CONSUMER.DURABLE.CREATE.${STREAM}.${name}`, `CONSUMER.CREATE.T.${name}`, `CONSUMER.CREATE.${STREAM}`, `CONSUMER.DURABLE.CREATE.${STREAM}`, `CONSUMER.CREATE.${STREAM}.a/b`, `CONSUMER.CREATE.${STREAM}.%41`]);
    wanted["durable_name"] = random.pick([...CONSUMERS, "", "a b", "a/b", "a*", "x".repeat(256), null]);
    wanted["name"] = random.pick([...CONSUMERS, "", "a>b", null]);
  }
  const body: Record<string, unknown> = { stream_name: random.chance(0.97) ? STREAM : "T", config: wanted };
  if (random.chance(0.35)) body["action"] = random.pick(["create", "update", "", "create", "update", "", null, "other", 1]);
  if (random.chance(0.15)) body["pedantic"] = random.pick([true, true, true, false, null, 1]);
  return request(to, JSON.stringify(body), random.pick(LEVELS));
};

const publish: Maker = (random, theme) => {
  const big = random.chance(theme.big);
  const messages = random.some(1, big ? 5 : 6, () => ({
    subject: subject(random).replace(/[*>]/g, "a"),
    header: random.chance(0.2) ? random.pick(["A: b\r\n", "Nats-Msg-Size: 7\r\n", "X: 1\r\nY: 2\r\n"]) : random.chance(theme.rollups) ? `Nats-Rollup: ${random.pick(["sub", "all"])}\r\n` : "",
    payload: big ? "x".repeat(600_000) : random.pick(["", "1", "hello", "x".repeat(50)]),
  }));
  return { kind: "publish", messages: messages.filter((message) => /^[^.]+(\.[^.]+)*$/.test(message.subject)) };
};

const pull: Maker = (random, theme) => {
  const { body, ends } = pullBody(random, theme);
  return { kind: "pull", consumer: random.pick(TARGETS), body, header: random.chance(0.03) ? random.pick(LEVELS) : "", ends, max: 0 };
};

const ack: Maker = (random) => ({
  kind: "ack",
  pick: random.below(1000),
  payload: random.pick(ACKS),
  header: random.chance(0.05) ? "A: b\r\n" : "",
  replies: random.chance(0.7),
  edit: random.chance(0.12) ? random.pick([[5, "1"], [5, "99"], [5, "0"], [5, "-1"], [5, "x"], [6, "1"], [6, "2"], [6, "99"], [6, "0"], [7, "x"], [8, "y"], [8, "1.2"], [2, "T"], [3, "B"], [5, "3"]] as const) : undefined,
});

/** Everything that is pending of one consumer, or nearly so, in one go: floors move far. */
const update: Maker = (random, theme) => {
  const op = create(random, theme);
  if (op.kind !== "request") return op;
  const body = JSON.parse(op.body) as { action?: unknown };
  body.action = random.pick(["update", ""]);
  return { ...op, body: JSON.stringify(body) };
};

const remove: Maker = (random) => request(`CONSUMER.DELETE.${STREAM}.${random.pick(TARGETS)}`, random.pick(["", "", "", "{}", "{ }", "x", "[]", '{"a":1}', "null"]));
const info: Maker = (random) => request(`CONSUMER.INFO.${STREAM}.${random.pick(TARGETS)}`, random.pick(["", "", "", "", "{}", " ", "x", "null", '{"a":1}']), random.pick(LEVELS));
const names: Maker = (random) => request(`CONSUMER.${random.pick(["NAMES", "LIST"])}.${random.pick([STREAM, STREAM, STREAM, "T"])}`, random.pick(["", "{}", '{"offset":1}', '{"offset":-1}', '{"offset":99}', "x", "[]", '{"offset":"1"}', '{"offset":null}', '{"x":1}', '{"offset":1.5}', "null"]), random.pick(LEVELS));
const pause: Maker = (random) => request(`CONSUMER.PAUSE.${STREAM}.${random.pick(TARGETS)}`, random.pick(["", "", "{}", '{"pause_until":"2099-01-01T00:00:00Z"}', '{"pause_until":"2099-01-01T00:00:00Z"}', '{"pause_until":"2099-01-01T02:00:00.5+02:00"}', '{"pause_until":"2001-01-01T00:00:00Z"}', '{"pause_until":"0001-01-01T00:00:00Z"}', '{"pause_until":null}', '{"pause_until":"x"}', '{"pause_until":5}', "x", '{"y":1}', "[]", '{"pause_until":"2262-04-12T00:00:00Z"}', '{"pause_until":"9999-01-01T00:00:00Z"}']), random.pick(LEVELS));
const unpin: Maker = (random) => request(`CONSUMER.UNPIN.${STREAM}.${random.pick(TARGETS)}`, random.pick(['{"group":"g"}', '{"group":"g"}', '{"group":"g"}', '{"group":"h"}', "", "{}", '{"group":""}', '{"group":"a b"}', '{"group":1}', "x", '{"group":"g","z":1}', '{"group":null}', "[]", "null"]));
const reset: Maker = (random) => request(`CONSUMER.RESET.${STREAM}.${random.pick(TARGETS)}`, random.pick(["", "", "{}", '{"seq":0}', '{"seq":1}', '{"seq":2}', '{"seq":3}', '{"seq":5}', '{"seq":99}', '{"seq":-1}', '{"seq":"1"}', '{"seq":null}', "x", "5", '{"seq":1,"z":2}', '{"seq":1.5}', " ", "null", "[]"]), random.pick(LEVELS));
const purge: Maker = (random) => request(`STREAM.PURGE.${STREAM}`, random.pick(["", '{"seq":2}', '{"seq":3}', '{"keep":1}', '{"keep":2}', `{"filter":"${subject(random)}"}`, `{"filter":"${subject(random)}"}`, `{"filter":"${subject(random)}"}`, `{"filter":"${subject(random)}","keep":1}`, `{"filter":"${subject(random)}","seq":4}`]));
const removeMessage: Maker = (random) => request(`STREAM.MSG.DELETE.${STREAM}`, JSON.stringify({ seq: 1 + random.below(12), ...(random.chance(0.5) ? { no_erase: true } : {}) }));
const subscribe: Maker = (random) => ({ kind: "subscribe", name: `sub ${random.below(4)}`, subject: random.pick([...DELIVER_SUBJECTS, ...DELIVER_SUBJECTS, "d.*"]), group: random.pick(["", "", "q", "r"]) });
const unsubscribe: Maker = (random) => ({ kind: "unsubscribe", name: `sub ${random.below(4)}` });
const abandon: Maker = (random) => ({ kind: "abandon", pick: random.below(4) });
const flow: Maker = (random) => ({ kind: "flow", header: random.pick(["", "", "Nats-Last-Consumer: 1\r\nNats-Last-Stream: 1\r\n", "Nats-Last-Consumer: 2\r\nNats-Last-Stream: 2\r\n", "Nats-Last-Consumer: 0\r\nNats-Last-Stream: 3\r\n", "Nats-Last-Stream: x\r\n"]) });
const raw: Maker = (random) => ({ kind: "raw", subject: random.pick(["$JS.ACK.S.A.1.1.1.1", "$JS.ACK.S.A.1.1.1.1.1", "$JS.ACK.S.B.1.2.2.1.1", "$JS.ACK.S.A.1.1.1.1.1.1", "$JS.ACK._.abcdefgh.S.A.1.1.1.1.1", "$JS.ACK.S.Z.1.1.1.1.1", "$JS.FC.S.A.abcd", "$JS.ACK", "$JS.FC.S.Z.abcd"]), payload: random.pick(["", "+ACK", "-NAK", "x"]) });
const changeStream: Maker = (random, theme) => {
  const stream = { ...streamConfig(random, theme) };
  return request(`STREAM.UPDATE.${STREAM}`, JSON.stringify({ ...stream, storage: "memory", ...(random.chance(0.5) ? { consumer_limits: undefined } : {}), max_msgs: undefined }));
};
const pass: Maker = (random) => ({ kind: "pass", milliseconds: random.pick([20, 120, 260]) });

const MAKERS: readonly (readonly [weight: number, name: string, make: Maker])[] = [
  [8, "create", create],
  [4, "update", update],
  [14, "publish", publish],
  [18, "pull", pull],
  [24, "ack", ack],
  [2, "remove", remove],
  [3, "info", info],
  [1, "names", names],
  [2, "pause", pause],
  [1, "unpin", unpin],
  [3, "reset", reset],
  [3, "purge", purge],
  [3, "removeMessage", removeMessage],
  [4, "subscribe", subscribe],
  [2, "unsubscribe", unsubscribe],
  [1, "abandon", abandon],
  [2, "flow", flow],
  [1, "raw", raw],
  [0.5, "changeStream", changeStream],
  [0.8, "pass", pass],
];

function makerOf(random: Prng, weights: readonly number[]): Maker {
  let at = random.fraction() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let index = 0; index < weights.length; index++) {
    at -= weights[index] ?? 0;
    if (at < 0) return MAKERS[index]?.[2] ?? ack;
  }
  return ack;
}

export function sessionOf(seed: number): Session {
  const random = new Prng(seed);
  const theme: Theme = {
    wild: random.pick([0, 0.01, 0.02, 0.1]),
    push: random.pick([0, 0.2, 0.5, 1]),
    priority: random.pick([0, 0, 0.2, 1]),
    policy: random.pick(["overflow", "pinned_client", "prioritized", undefined]),
    retention: random.pick(["limits", "limits", "limits", "interest", "workqueue"]),
    timed: random.chance(0.25),
    big: random.chance(0.1) ? 0.5 : 0,
    rollups: 0,
  };
  const stream = streamConfig(random, theme);
  // What a roll-up leaves of a full stream, and of one that stores only what somebody is interested in, is compared elsewhere.
  const withRollups = theme.retention === "interest" || stream["max_msgs"] !== undefined ? theme : { ...theme, rollups: random.pick([0, 0, 0.1]) };
  // Each session likes some steps more than others.
  const weights = MAKERS.map(([weight]) => weight * random.pick([0.3, 1, 1, 3]));
  const count = 12 + random.below(40);
  const ops: Op[] = [publish(random, withRollups), create(random, withRollups)];
  if (random.chance(0.5)) ops.reverse();
  if (theme.push > 0) ops.push(subscribe(random, withRollups), subscribe(random, withRollups));
  while (ops.length < count) ops.push(makerOf(random, weights)(random, withRollups));
  return { stream, ops: ops.filter((op) => op.kind !== "publish" || op.messages.length > 0) };
}

/** For people. */
export function printOp(op: Op): string {
  switch (op.kind) {
    case "request":
      return `request ${op.subject} ${op.body}${op.header === "" ? "" : ` ${JSON.stringify(op.header)}`}`;
    case "publish":
      return `publish ${op.messages.map(({ subject, header, payload }) => `${subject}${header === "" ? "" : ` ${JSON.stringify(header)}`} ${payload.length > 60 ? `${payload.length} bytes` : JSON.stringify(payload)}`).join(", ")}`;
    case "pull":
      return `pull ${op.consumer} ${op.body}${op.header === "" ? "" : ` ${JSON.stringify(op.header)}`}${op.ends ? " until its end" : ""}${op.max > 0 ? ` unsubscribed after ${op.max}` : ""}`;
    case "ack":
      return `ack delivery ${op.pick} ${JSON.stringify(op.payload)}${op.replies ? " with reply" : ""}${op.edit === undefined ? "" : ` token ${op.edit[0]} = ${op.edit[1]}`}${op.header === "" ? "" : " with headers"}`;
    default:
      return `${op.kind} ${JSON.stringify(op)}`;
  }
}
