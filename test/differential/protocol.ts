/** Random sessions of the client protocol: every operation, right and wrong, in odd spellings and cut anywhere. */
import type { Prng } from "./prng.ts";
import { open, send, type Session, type Step } from "./session.ts";

/** Configurations that the protocol is tried under. */
export const PROTOCOL_CONFIGS = {
  plain: "",
  small: "max_payload: 48\nmax_control_line: 128\nmax_subscriptions: 5\nmax_subscription_tokens: 3\n",
  headerless: "no_header_support: true\n",
  mapped: `accounts { A { users [ { user: a, password: a } ], mappings {
    foo: bar, "foo.*": "bar.{{wildcard(1)}}.x", "x.*.*": "foo.$2.$1", "loop": "loop", "a.>": "b.>", "bar": "foo", "w.*": [ { destination: "ww.$1", weight: 100 } ], "p.*": "p.{{partition(3,1)}}" } } }
no_auth_user: a
`,
} as const;

/** Subjects are few and alike, so that subscriptions and messages meet. */
const TOKENS = ["foo", "bar", "a", "b", "x", "w", "p"] as const;

export function literal(random: Prng): string {
  return random.some(1, 3, () => random.pick(TOKENS)).join(".");
}

export function pattern(random: Prng): string {
  const tokens: string[] = random.some(1, 3, () => (random.chance(0.25) ? "*" : random.pick(TOKENS)));
  if (random.chance(0.2)) tokens[tokens.length - 1] = ">";
  return tokens.join(".");
}

const ODD_SUBJECTS = ["foo..bar", ".foo", "foo.", ">", "*", "foo.>", "foo.*", "foo.>.bar", "foo*", "*foo.bar", ">foo", "foo.>a", "$SYS.foo", "$SYS.REQ.SERVER.PING", "_R_.a", "_GR_.x", "$GR.x", "$JS.API.INFO", "$G", "$JSC.R.x", "_INBOX.abc", "$NRG.x", "$GNR.x", "..", ".", "\xff\xfe", "f\0o", "caf\xc3\xa9", "FOO", "foo.bar.a.b.x.w.p.foo.bar", `long.${"x".repeat(60)}`] as const;

function subject(random: Prng, isPublish: boolean): string {
  if (random.chance(0.12)) return random.pick(ODD_SUBJECTS);
  return isPublish && random.chance(0.93) ? literal(random) : pattern(random);
}

function blanks(random: Prng): string {
  return random.chance(0.9) ? " " : random.pick(["  ", "\t", " \t ", "   "]);
}

function spelled(random: Prng, verb: string): string {
  return random.chance(0.85) ? verb : [...verb].map((letter) => (random.chance(0.5) ? letter.toLowerCase() : letter)).join("");
}

function line(random: Prng, verb: string, ...parts: readonly (string | number)[]): string {
  let text = spelled(random, verb);
  for (const part of parts) text += blanks(random) + String(part);
  if (random.chance(0.04)) text += random.pick([" ", "\t", "  "]);
  return text + (random.chance(0.94) ? "\r\n" : "\n");
}

function payload(random: Prng): string {
  if (random.chance(0.05)) return random.pick(["\r\n", "\0\xff\r", "PING\r\nPUB", "\n", "x\r\ny"]);
  return "m".repeat(random.below(random.chance(0.1) ? 120 : 12)) + String(random.below(1000));
}

const HEADER_BLOCKS = ["NATS/1.0\r\n\r\n", "NATS/1.0\r\nA: b\r\n\r\n", "NATS/1.0\r\nA: b\r\nA: c\r\nX:y\r\n\r\n", "NATS/1.0 503\r\n\r\n", "NATS/1.0 100 Idle Heartbeat\r\nK: v\r\n\r\n", "bogus", "", "NATS/1.0\r\n", "NATS/1.0\r\n  lead: x\r\n\r\n", "NATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n"] as const;

const TRACE_CONTINUATIONS = ["", "Nats-Trace-Only: true\r\n", "Nats-Trace-Only: 1\r\nA: b\r\n", "Nats-Trace-Only: no\r\n", "X: y\r\nx: z\r\n"];

/** Blocks that have their message followed. */
export const TRACE_HEADERS: readonly string[] = [
  ...["foo.bar", "a", "x.b", "w.w"].flatMap((destination) => TRACE_CONTINUATIONS.map((more) => `NATS/1.0\r\nNats-Trace-Dest: ${destination}\r\n${more}\r\n`)),
  "NATS/1.0\r\nNats-Trace-Dest: foo.*\r\n\r\n",
  "NATS/1.0\r\nNats-Trace-Dest: trace disabled\r\n\r\n",
  "NATS/1.0\r\nNats-Trace-Dest: _GR_.x\r\n\r\n",
  "NATS/1.0\r\nNats-Trace-Only: true\r\n\r\n",
  "NATS/1.0\r\nNats-Trace-Dest:a\r\nNats-Trace-Origin-Account: x\r\n\r\n",
  "NATS/1.0\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
  "NATS/1.0\r\nnats-trace-dest: a\r\n\r\n",
];

export function publish(random: Prng, to: string, withHeaders: boolean, reply: string, blocks: readonly string[] = HEADER_BLOCKS): string {
  const body = payload(random);
  const replyPart = reply === "" ? [] : [reply];
  const size = (count: number): string => (random.chance(0.03) ? `00${count}` : String(count));
  if (!withHeaders) return `${line(random, "PUB", to, ...replyPart, size(body.length))}${body}\r\n`;
  const header = random.pick(blocks);
  return `${line(random, "HPUB", to, ...replyPart, size(header.length), size(header.length + body.length))}${header}${body}\r\n`;
}

/** Options of a CONNECT, with `login` among them. */
export function connectLine(random: Prng, login: Readonly<Record<string, unknown>>): string {
  const options: Record<string, unknown> = { ...login };
  if (random.chance(0.9)) options["verbose"] = random.chance(0.25);
  if (random.chance(0.9)) options["pedantic"] = random.chance(0.2);
  if (random.chance(0.3)) options["echo"] = random.chance(0.5);
  if (random.chance(0.6)) options["headers"] = random.chance(0.9);
  if (random.chance(0.3)) options["no_responders"] = random.chance(options["headers"] === true ? 0.8 : 0.1);
  if (random.chance(0.4)) options["protocol"] = random.chance(0.97) ? random.below(2) : random.pick([2, -1]);
  if (random.chance(0.2)) options["name"] = random.pick(["n", "näme", "a<b>&c", "x\"y"]);
  if (random.chance(0.2)) options["lang"] = "test";
  if (random.chance(0.2)) options["version"] = "1.2";
  return line(random, "CONNECT", JSON.stringify(options));
}

const ODD_CONNECTS = ["CONNECT {}\r\n", "CONNECT{}\r\n", "CONNECT {\r\n", "CONNECT\r\n", 'CONNECT {"verbose":"yes"}\r\n', 'CONNECT {"VERBOSE":false,"Pedantic":false,"Echo":false}\r\n', 'CONNECT {"account":"x"}\r\n', 'CONNECT {"new_account":true}\r\n', "CONNECT null\r\n", "CONNECT []\r\n", 'CONNECT {"verbose":null,"protocol":null}\r\n', 'CONNECT {"protocol":1.5}\r\n', 'CONNECT {"protocol":1e0}\r\n', 'CONNECT {"name":5}\r\n', 'CONNECT {"verbose":false} x\r\n', 'CONNECT {"verbose":false,"verbose":true,"pedantic":false}\r\n', 'CONNECT {"verbose":false,"unknown":{"a":[1]}}\r\n', 'connect {"echo":false,"verbose":false,"pedantic":false}\n', 'CONNECT {"tls_required":true,"verbose":false}\r\n', 'CONNECT {"name":"\xff\xfe","verbose":false}\r\n', 'CONNECT {"user":"u","pass":"p","verbose":false}\r\n', 'CONNECT {"verbose":false,"lang":null}\r\n', 'CONNECT {"protocol":99999999999999999999}\r\n', 'CONNECT {"jwt":"x","sig":"y","nkey":"z","verbose":false}\r\n'] as const;

const GARBAGE = ["MSG foo 1 1\r\na\r\n", "HMSG\r\n", "RS+ foo\r\n", "\r\n", " PING\r\n", "X\r\n", "PUB\r\n", "SUB\r\n", "SUB  \r\n", "UNSUB\r\n", "PUB foo\r\n", "PUB foo 1 2 3\r\nx\r\n", "PUB foo -1\r\n", "PUB foo +1\r\nx\r\n", "PUB foo 1234567890\r\n", "PUB foo 999999999\r\n", "PUB foo x\r\n", "PUB foo 1\nx\n", "PUB foo 2\r\nabc\r\n", "PUB foo 3\r\nab\r\nPING\r\n", "SUB foo\r\n", "SUB a b c d\r\n", "UNSUB a b c\r\n", "UNSUB q x\r\n", "UNSUB 1 -5\r\n", "UNSUB 1 0\r\n", "UNSUB 1 99999999999\r\n", "UNSUB 1 2x\r\n", "HPUB foo 1\r\n", "HPUB foo 5 3\r\nabc\r\n", "HPUB foo r 1 2 3\r\n", "HPUB foo a b\r\n", "+OK\r\n", "-ERR 'x'\r\n", "-ERR\r\n", "INFO {}\r\n", "INFO x\r\n", "INFO []\r\n", "INFO null\r\n", "PONG\r\n", "PONGx\r\n", "PINGxyz\r\n", "PING \n", "+OKAY\r\n", "pInG\r\n", "A+ x\r\n", "LS+ foo\r\n", "P", "PU", "PUB foo 1", `SUB ${"x".repeat(5000)} 1\r\n`, `PUB ${"y".repeat(130)} 1\r\nx\r\n`, `SUB ${"z.".repeat(60)}z 9\r\n`, "PUB foo\t\t1\t\r\nx\r\n", "PUB  foo  1  \r\nx\r\n", "PUB foo r\r\n", "SUB foo 1\r2\r\n", "UNSUB 1\r2\r\n", "PUB foo 1\r\r\nx\r\n", "PUB\tfoo 1\r\nx\r\n", "CONNECTX {}\r\n", "CONN\r\n", "INFO\r\n", "INFO{}\r\n", "-ERRx\r\n", "+O\r\n", "HPUB\r\n", "HPUB \r\n", "HPUB foo 0 0\r\n\r\n", "HPUB foo 0 2\r\nab\r\n"] as const;

/** Where to cut the bytes of one send. What the reference makes of a lone CR depends on that, so such bytes stay whole. */
export function cuts(random: Prng, bytes: string): number[] {
  if (bytes.length < 2 || random.chance(0.75) || /\r(?!\n)/.test(bytes)) return [];
  return [...new Set(random.some(1, 3, () => 1 + random.below(bytes.length - 1)))].sort((a, b) => a - b);
}

/** A connection as its generator knows it. */
export interface Peer {
  readonly name: string;
  readonly headers: boolean;
  readonly sids: string[];
  /** Header blocks to publish with. */
  readonly blocks?: readonly string[];
}

/** One operation. Queue members are never limited and never dropped, since who gets a message is chance. */
export function operation(random: Prng, peer: Peer, ids: { next: number }, queues: boolean): string {
  const roll = random.fraction();
  if (roll < 0.3) {
    if (queues && random.chance(0.5)) {
      const group = random.pick(["g", "h"]);
      return line(random, "SUB", random.pick(["foo", "foo.*", "bar", "a.b", "a.>"]), group, `q${group}-${ids.next++}`);
    }
    const sid = random.chance(0.08) && peer.sids.length > 0 ? random.pick(peer.sids) : random.chance(0.1) ? `s-${ids.next++}` : String(ids.next++);
    peer.sids.push(sid);
    return line(random, "SUB", subject(random, false), sid);
  }
  if (roll < 0.42) {
    const sid = peer.sids.length > 0 && random.chance(0.9) ? random.pick(peer.sids) : "777";
    return random.chance(0.6) ? line(random, "UNSUB", sid, random.below(4)) : line(random, "UNSUB", sid);
  }
  if (roll < 0.92) {
    const reply = random.chance(0.25) ? subject(random, true) : "";
    return publish(random, subject(random, true), random.chance(peer.headers ? 0.4 : 0.01), reply, peer.blocks);
  }
  if (roll < 0.96) return line(random, random.pick(["PING", "PONG", "+OK"]));
  return random.pick(GARBAGE);
}

export function protocolSession(random: Prng, blocks?: readonly string[]): Session {
  const steps: Step[] = [];
  const peers: Peer[] = [];
  const ids = { next: 1 };
  // Which member of a queue group a trace event names is chance too.
  const queues = random.chance(0.3) && blocks === undefined;
  const enter = (): void => {
    const name = `c${peers.length + 1}`;
    steps.push(open(name));
    const first = random.chance(0.9) ? connectLine(random, {}) : random.chance(0.5) ? random.pick(ODD_CONNECTS) : "";
    peers.push({ name, headers: /"headers":true/.test(first), sids: [], ...(blocks === undefined ? {} : { blocks }) });
    if (first !== "") steps.push(send(name, first, { cuts: cuts(random, first) }));
  };
  const count = 1 + random.below(3);
  for (let i = 0; i < count; i++) enter();
  const length = 4 + random.below(18);
  for (let i = 0; i < length; i++) {
    const peer = random.pick(peers);
    if (random.chance(0.03)) steps.push({ kind: "close", connection: peer.name });
    else if (random.chance(0.04)) steps.push(send(peer.name, random.chance(0.5) ? connectLine(random, {}) : random.pick(ODD_CONNECTS)));
    else if (random.chance(0.03) && peers.length < 5) enter();
    else {
      const bytes = random.some(1, blocks === undefined && random.chance(0.3) ? 6 : 1, () => operation(random, peer, ids, queues)).join("");
      steps.push(send(peer.name, bytes, { cuts: cuts(random, bytes) }));
    }
  }
  return { steps };
}
