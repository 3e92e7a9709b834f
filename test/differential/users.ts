/**
 * Random configurations of users, accounts and permissions, the logins that belong to them (right and wrong), and sessions that try them: who gets in, what
 * they may publish and subscribe to, what reaches them, and what of that a reload changes.
 */
import { nkeyNamed } from "../support/nkeys.ts";
import type { Prng } from "./prng.ts";
import { connectLine, cuts, literal, operation, pattern, type Peer } from "./protocol.ts";
import { open, send, type Session, type Signer, type Step } from "./session.ts";

/** Of a user that no configuration has. */
export const UNKNOWN_NKEY = "UABC";

/** bcrypt, cost 4, of `x`. */
const BCRYPT_X = "$2a$04$3.EtUYFHpffiwrLkaTC4euj0iNNeXhvHa/x/wD4KWAwOLtGqr/TPe";

export interface Login {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly signer?: Signer;
}

export interface Setup {
  readonly config: string;
  readonly logins: readonly Login[];
  /** Whether subscriptions may end in `>`: not beside allowed subjects with `*`, which the reference lets them through (a hole). */
  readonly wide: boolean;
  /** Whether who logs in with nothing is somebody. A second CONNECT is not tried then: what the reference filled in for the first stays in it. */
  readonly hasDefaultUser: boolean;
}

function list(entries: readonly string[]): string {
  return `[${entries.map((entry) => JSON.stringify(entry)).join(", ")}]`;
}

function permissionPattern(random: Prng, wide: boolean): string {
  const made = pattern(random);
  return wide ? made.replaceAll("*", "foo") : made;
}

function subscribeEntry(random: Prng, wide: boolean): string {
  const subject = permissionPattern(random, wide);
  return random.chance(0.15) ? `${subject} ${random.pick(["g", "h", "*", "g.*"])}` : subject;
}

function permissions(random: Prng, wide: boolean): string {
  const side = (entry: () => string): string => {
    if (random.chance(0.2)) return list(random.some(1, 4, entry));
    const parts: string[] = [];
    if (random.chance(0.6)) parts.push(`allow: ${list(random.some(1, 4, entry))}`);
    if (random.chance(0.6) || parts.length === 0) parts.push(`deny: ${list(random.some(1, 4, entry))}`);
    return `{ ${parts.join(", ")} }`;
  };
  const parts: string[] = [];
  if (random.chance(0.7)) parts.push(`publish: ${side(() => permissionPattern(random, wide))}`);
  if (random.chance(0.7)) parts.push(`subscribe: ${side(() => subscribeEntry(random, wide))}`);
  if (random.chance(0.3)) parts.push(`allow_responses: ${random.pick(["true", "{ max: 2 }", "{ max: 1, expires: \"1m\" }", "{ max: -1 }"])}`);
  return `{ ${parts.join(", ")} }`;
}

interface UserMade {
  readonly text: string;
  readonly logins: readonly Login[];
  readonly name: string;
}

function user(random: Prng, name: string, wide: boolean, permitted: number, hashed: boolean): UserMade {
  const extra: string[] = [];
  if (random.chance(permitted)) extra.push(`permissions: ${permissions(random, wide)}`);
  if (random.chance(0.1)) extra.push(`allowed_connection_types: ${random.pick(['["STANDARD"]', '["WEBSOCKET"]', '["STANDARD", "WEBSOCKET"]', '["MQTT"]'])}`);
  if (random.chance(0.25)) {
    const { publicKey } = nkeyNamed("user", name);
    const logins: Login[] = [false, true].map((wrong) => ({ fields: { nkey: publicKey, sig: "@SIG@" }, signer: { name, wrong } }));
    return { text: `{ ${[`nkey: ${publicKey}`, ...extra].join(", ")} }`, logins: [...logins, { fields: { nkey: publicKey } }, { fields: { nkey: publicKey, sig: "bm8" } }], name: publicKey };
  }
  const password = hashed && random.chance(0.15) ? BCRYPT_X : "x";
  return { text: `{ ${[`user: ${name}`, `password: ${JSON.stringify(password)}`, ...extra].join(", ")} }`, logins: [{ fields: { user: name, pass: "x" } }, { fields: { user: name, pass: "x" } }, { fields: { user: name, pass: "wrong" } }, { fields: { user: name } }], name };
}

const STRANGERS: readonly Login[] = [{ fields: {} }, { fields: { user: "nobody", pass: "x" } }, { fields: { auth_token: "t" } }, { fields: { auth_token: "wrong" } }, { fields: { pass: "x" } }, { fields: { nkey: UNKNOWN_NKEY, sig: "x" } }, { fields: { user: "u1", pass: "x", auth_token: "t" } }, { fields: { jwt: "x.y.z", sig: "bm8" } }];

/**
 * A configuration. `permitted` is the share of users with permissions of their own. `users`: no token, no single user and no default user, whom the
 * reference does not always look at again after a reload, no limits of connections, beyond which it closes any, and no hashes, which this server compares while it goes on.
 */
export function setup(random: Prng, permitted: number, kind: "any" | "users" = "any"): Setup {
  const made = setupOf(random, permitted, kind);
  return { ...made, hasDefaultUser: made.config.includes("no_auth_user") };
}

function setupOf(random: Prng, permitted: number, kind: "any" | "users"): Omit<Setup, "hasDefaultUser"> {
  const wide = random.chance(0.35);
  const shape = kind === "any" ? random.fraction() : 0.2 + 0.8 * random.fraction();
  const noAuthUser = (made: readonly UserMade[]): string => (kind === "any" && random.chance(0.25) ? `no_auth_user: ${random.pick(made).name}\n` : "");
  if (shape < 0.1) {
    // No permissions: beside a token (or a single user) this server holds to them, the reference does not.
    return { config: `authorization { token: ${JSON.stringify(random.pick(["t", BCRYPT_X]))} }\n`, logins: [{ fields: { auth_token: "t" } }, { fields: { auth_token: "x" } }, ...STRANGERS], wide };
  }
  if (shape < 0.2) return { config: `authorization { user: u1, password: ${random.pick(["x", JSON.stringify(BCRYPT_X)])} }\n`, logins: [{ fields: { user: "u1", pass: "x" } }, { fields: { user: "u1", pass: "no" } }, ...STRANGERS], wide };
  if (shape < 0.6) {
    const made = ["u1", "u2", "u3"].map((name) => user(random, name, wide, permitted, kind === "any"));
    const standard = random.chance(0.3) ? `  default_permissions: ${permissions(random, wide)}\n` : "";
    return { config: `authorization {\n${standard}  users: [\n    ${made.map(({ text }) => text).join("\n    ")}\n  ]\n}\n${noAuthUser(made)}`, logins: [...made.flatMap(({ logins }) => [...logins, ...logins]), ...STRANGERS], wide };
  }
  const all: UserMade[] = [];
  const accounts = ["A", "B"].map((name, index) => {
    const made = [1, 2].map((number) => user(random, `u${index * 2 + number}`, wide, permitted, kind === "any"));
    all.push(...made);
    const parts = [`users: [ ${made.map(({ text }) => text).join(", ")} ]`];
    if (random.chance(0.3)) parts.push(`mappings: { ${random.pick(['"foo.*": "bar.$1"', "foo: bar", '"a.>": "b.>"', '"x.*": [ { destination: "w.$1", weight: 100 } ]'])} }`);
    if (random.chance(0.3)) parts.push(`limits: { ${random.pick(kind === "any" ? ["max_conn: 1", "max_subs: 2", "max_payload: 16", "max_conn: 2, max_subs: 3"] : ["max_subs: 2", "max_payload: 16"])} }`);
    if (random.chance(0.15)) parts.push(`default_permissions: ${permissions(random, wide)}`);
    return `  ${name} { ${parts.join(", ")} }`;
  });
  return { config: `accounts {\n${accounts.join("\n")}\n}\n${noAuthUser(all)}`, logins: [...all.flatMap(({ logins }) => [...logins, ...logins]), ...STRANGERS], wide };
}

const RESPONDERS = ["_INBOX.a", "_INBOX.b", "reply.x"] as const;

/** Tries a configuration; `next` are those to reload to on the way, if any. */
export function userSession(random: Prng, { logins, wide, hasDefaultUser }: Setup, next: readonly Setup[] = []): Session {
  const steps: Step[] = [];
  const peers: Peer[] = [];
  const ids = { next: 1 };
  const queues = random.chance(0.2);
  const enter = (): void => {
    const name = `c${peers.length + 1}`;
    steps.push(open(name));
    const { fields, signer } = random.pick(logins);
    const line = random.chance(0.95) ? connectLine(random, fields) : "PING\r\n";
    peers.push({ name, headers: false, sids: [] });
    steps.push(send(name, line, { cuts: cuts(random, line), ...(signer === undefined ? {} : { signer }) }));
  };
  for (let count = 1 + random.below(4); count > 0; count--) enter();
  for (let count = 4 + random.below(16); count > 0; count--) {
    const peer = random.pick(peers);
    if (random.chance(0.06) && peers.length < 6) enter();
    else if (!hasDefaultUser && random.chance(0.04)) {
      const { fields, signer } = random.pick(logins);
      // What a second CONNECT leaves out stays; in the reference that includes the password of a default user, for whoever names another user.
      const whole = "user" in fields && !("pass" in fields) ? { ...fields, pass: "" } : fields;
      steps.push(send(peer.name, connectLine(random, whole), signer === undefined ? {} : { signer }));
    } else if (random.chance(0.15)) {
      const reply = random.pick(RESPONDERS);
      steps.push(send(peer.name, random.chance(0.5) ? `PUB ${literal(random)} ${reply} 1\r\nr\r\n` : `PUB ${reply} 1\r\na\r\n`));
    } else {
      const bytes = operation(random, peer, ids, queues);
      // Nothing that reaches the server's own advisories of refused logins, which have five tokens.
      const tooWide = /^sub[^\n]*>/i.test(bytes) && (!wide || /^sub\s+[*>]/i.test(bytes));
      if (!tooWide) steps.push(send(peer.name, bytes));
    }
  }
  next.forEach((reloaded, index) => {
    // Not between INFO and CONNECT: the reference closes who is there, this server waits for the CONNECT.
    const at = Math.floor((steps.length * (index + 1)) / (next.length + 1));
    steps.splice(steps[at - 1]?.kind === "open" ? at + 1 : at, 0, { kind: "reload", config: reloaded.config });
  });
  return { steps };
}
