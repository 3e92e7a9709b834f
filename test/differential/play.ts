/**
 * Puts one server through a session and says everything that could be seen of it: per connection what it was sent and whether it was closed, the pools of the
 * queue groups, and what monitoring tells of the connections, subscriptions and traffic afterwards.
 */
import { deadlineIn, poll } from "../support/deadline.ts";
import { nkeyNamed } from "../support/nkeys.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { comparable, type Frame, readFrames } from "./frames.ts";
import { COMMON_CONFIG, type Session, type Step, type Transport } from "./session.ts";
import { UNKNOWN_NKEY } from "./users.ts";
import { dial, type Wire } from "./wire.ts";

/** What a session looked like. Two servers are alike when these are. */
export interface Outcome {
  readonly connections: Readonly<Record<string, readonly string[]>>;
  readonly queues: readonly string[];
  readonly connz: readonly unknown[];
  readonly counters: Readonly<Record<string, unknown>>;
}

export interface PlayOptions {
  readonly transport: Transport;
  /** How long a connection may be silent before it counts as not answering, milliseconds. */
  readonly silenceMs: number;
  /** Whether closed connections and counters are asked for at the end. */
  readonly monitoring: boolean;
  /** The reference sends a nonce for ever once it has needed one; this server while it needs one. */
  readonly ignoresNonce: boolean;
}

interface Connection {
  readonly wire: Wire;
  readonly frames: Frame[];
  pongs: number;
  pings: number;
  nonce: string;
  ended: boolean;
  /** It did not answer a PING, so that one is not waited for again. */
  silent: boolean;
  wake: (() => void) | undefined;
}

async function waitUntil(connection: Connection, milliseconds: number, holds: () => boolean): Promise<boolean> {
  const end = deadlineIn(milliseconds);
  while (!holds()) {
    const left = end - performance.now();
    if (left <= 0) return false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      connection.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
  return true;
}

async function openConnection(server: ServerProcess, transport: Transport, seed: number): Promise<Connection> {
  const wire = await dial(server, transport, seed);
  const connection: Connection = { wire, frames: [], pongs: 0, pings: 0, nonce: "", ended: false, silent: false, wake: undefined };
  void readFrames(wire.received, (frame, raw) => {
    connection.frames.push(frame);
    if (raw === "PONG") connection.pongs++;
    if (raw.startsWith("INFO ") && connection.nonce === "") connection.nonce = (JSON.parse(raw.slice(5)) as { nonce?: string }).nonce ?? "";
    connection.wake?.();
  }).then(() => {
    connection.ended = true;
    connection.wake?.();
  });
  if (!(await waitUntil(connection, 2000, () => connection.frames.length > 0 || connection.ended))) throw new Error("no INFO");
  return connection;
}

/** Waits until the server has worked off all it was sent, as far as it still answers. */
async function settle(connection: Connection, silenceMs: number): Promise<void> {
  if (connection.ended) return;
  if (connection.silent) {
    // It waits for the rest of some operation: then nothing can be told but that it stays silent.
    await waitUntil(connection, 20, () => connection.ended);
    return;
  }
  connection.wire.send(Buffer.from("PING\r\n"));
  connection.pings++;
  if (!(await waitUntil(connection, silenceMs, () => connection.ended || connection.pongs >= connection.pings))) connection.silent = true;
}

function signed(step: Extract<Step, { kind: "send" }>, nonce: string): Buffer {
  const { bytes, signer } = step;
  if (signer === undefined) return Buffer.from(bytes, "latin1");
  const signature = nkeyNamed("user", signer.name).sign(signer.wrong ? `${nonce}x` : nonce).toString("base64url");
  return Buffer.from(bytes.replace("@SIG@", signature), "latin1");
}

async function sendStep(connection: Connection, step: Extract<Step, { kind: "send" }>, silenceMs: number): Promise<void> {
  if (connection.ended) return;
  const bytes = signed(step, connection.nonce);
  connection.pings += step.bytes.match(/(?:^|\n)ping/gi)?.length ?? 0;
  let from = 0;
  for (const cut of [...step.cuts, bytes.length]) {
    connection.wire.send(bytes.subarray(from, cut));
    from = cut;
    if (cut < bytes.length) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await settle(connection, silenceMs);
}

async function monitoring<T>(server: ServerProcess, path: string): Promise<T> {
  return (await (await fetch(`http://127.0.0.1:${server.ports.monitoring?.port}${path}`)).json()) as T;
}

interface ConnzEntry extends Readonly<Record<string, unknown>> {
  readonly port: number;
  readonly cid: number;
  readonly reason?: string;
  readonly subscriptions_list_detail?: readonly Readonly<Record<string, unknown>>[];
}

interface ConnectionSeen extends Readonly<Record<string, unknown>> {
  readonly reason: string | undefined;
}

const CONNZ_KEPT = ["kind", "type", "in_msgs", "in_bytes", "out_msgs", "out_bytes", "subscriptions", "name", "lang", "version", "account", "authorized_user", "nkey", "stalls", "name_tag"] as const;
const COUNTERS = ["in_msgs", "out_msgs", "in_bytes", "out_bytes", "slow_consumers", "in_client_msgs", "out_client_msgs", "in_client_bytes", "out_client_bytes", "stale_connections", "stalled_clients"] as const;

/** The reference does not count the messages of the read in which a connection is closed for what it sent; this server does. */
const CUT_SHORT: ReadonlySet<string> = new Set(["Protocol Violation", "Parse Error", "Maximum Message Payload Exceeded", "Maximum Control Line Exceeded"]);

async function connz(server: ServerProcess, connections: ReadonlyMap<string, Connection>, hidden: readonly string[]): Promise<ConnectionSeen[]> {
  return poll(3000, "the connections in /connz", async () => {
    const { connections: entries } = await monitoring<{ connections: readonly ConnzEntry[] }>(server, "/connz?state=all&subs=detail&auth=1&limit=1000");
    const found: ConnectionSeen[] = [];
    for (const [name, connection] of connections) {
      const mine = entries.filter((entry) => entry.port === connection.wire.localPort).sort((a, b) => b.cid - a.cid)[0];
      if (mine === undefined || (connection.ended && mine.reason === undefined)) return undefined;
      const kept = Object.fromEntries(CONNZ_KEPT.filter((key) => !hidden.some((prefix) => key.startsWith(prefix)) && !(mine.reason === "Authentication Failure" && key === "authorized_user") && !(CUT_SHORT.has(mine.reason ?? "") && key.startsWith("in_"))).map((key) => [key, mine[key]]));
      const details = (mine.subscriptions_list_detail ?? []).map((detail) => JSON.stringify({ ...detail, cid: 0, ...(hidden.includes("out_") ? { msgs: 0 } : {}) })).sort();
      found.push({ connection: name, reason: mine.reason, ...kept, details });
    }
    return found;
  });
}

/** Traffic counters, which only grow. */
export async function readCounters(server: ServerProcess): Promise<Record<string, number>> {
  const varz = await monitoring<Record<string, number>>(server, "/varz");
  return Object.fromEntries(COUNTERS.map((key) => [key, varz[key] ?? -1]));
}

type AccountCounters = Readonly<Record<string, { readonly conns: number; readonly subscriptions: number; readonly traffic: readonly number[] }>>;

interface AccountStatz {
  readonly acc: string;
  readonly conns: number;
  readonly num_subscriptions: number;
  readonly sent: { readonly msgs: number; readonly bytes: number };
  readonly received: { readonly msgs: number; readonly bytes: number };
}

async function accountCounters(server: ServerProcess): Promise<AccountCounters> {
  const { account_statz: accounts } = await monitoring<{ account_statz: readonly AccountStatz[] }>(server, "/accstatz?unused=1");
  const shown = accounts.filter((one) => one.acc !== "$SYS").sort((a, b) => (a.acc < b.acc ? -1 : 1));
  return Object.fromEntries(shown.map(({ acc, conns, num_subscriptions, sent, received }) => [acc, { conns, subscriptions: num_subscriptions, traffic: [sent.msgs, sent.bytes, received.msgs, received.bytes] }]));
}

/** Whether some connection begins without CONNECT: then the reference counts its first read with the account of those who have not said who they are. */
function beginsUnnamed({ steps }: Session): boolean {
  const named = new Set<string>();
  for (const step of steps) {
    if (step.kind !== "send" || named.has(step.connection)) continue;
    if (!/^connect/i.test(step.bytes)) return true;
    named.add(step.connection);
  }
  return false;
}

const TRAFFIC_NAMES = ["out_msgs", "out_bytes", "in_msgs", "in_bytes"];

/** What a session added. Subscriptions of the server itself, of which the reference has some, are in both. */
function grown(before: AccountCounters, after: AccountCounters, omitted: readonly string[]): unknown {
  return Object.fromEntries(Object.entries(after).map(([account, now]) => {
    const then = before[account] ?? { conns: 0, subscriptions: 0, traffic: [0, 0, 0, 0] };
    const traffic = now.traffic.map((count, index) => (omitted.some((prefix) => TRAFFIC_NAMES[index]?.startsWith(prefix)) ? 0 : count - (then.traffic[index] ?? 0)));
    return [account, { conns: now.conns, subscriptions: now.subscriptions - then.subscriptions, traffic }];
  }));
}

/** Reloads, and waits for the server's word that it did or did not. */
export async function reload(server: ServerProcess, config: string): Promise<string> {
  const from = server.log.length;
  server.writeConfig(`${COMMON_CONFIG}${config}`);
  server.signal("SIGHUP");
  const line = await server.waitForLog((text) => /Reloaded server configuration|Failed to reload/.test(text), from, 5000);
  return line.replace(/^.*\[(?:INF|ERR)\] /, "").replace(/ \(.*/, "");
}

/** Waits until nothing of a session is left in the server. */
async function clean(server: ServerProcess): Promise<void> {
  await poll(3000, "a server without connections", async () => ((await monitoring<{ num_connections: number }>(server, "/connz?limit=1")).num_connections === 0 ? true : undefined));
}

export async function play(server: ServerProcess, session: Session, options: PlayOptions): Promise<Outcome> {
  const connections = new Map<string, Connection>();
  const reloads: string[] = [];
  const before = options.monitoring ? await readCounters(server) : {};
  const accountsBefore = options.monitoring ? await accountCounters(server) : {};
  const hasQueues = session.steps.some((step) => step.kind === "send" && /(?:^|\n)sub/i.test(step.bytes) && /[ \t]q/.test(step.bytes));
  try {
    for (const step of session.steps) {
      if (step.kind === "reload") {
        reloads.push(await reload(server, step.config));
        for (const connection of connections.values()) if (connection.frames.length > 1) await settle(connection, options.silenceMs);
        continue;
      }
      let connection = connections.get(step.connection);
      if (step.kind === "open") connections.set(step.connection, await openConnection(server, options.transport, connections.size));
      else if (connection === undefined) continue;
      else if (step.kind === "send") await sendStep(connection, step, options.silenceMs);
      else {
        connection.wire.close();
        await waitUntil(connection, 2000, () => connection.ended);
      }
    }
    // What a step caused at other connections has been queued before its own PONG; a PING of theirs comes behind it.
    for (const connection of connections.values()) if (connection.frames.length > 1) await settle(connection, options.silenceMs);
    const queues: string[] = [];
    const seen: Record<string, readonly string[]> = {};
    for (const [name, connection] of connections) seen[name] = [...comparable(connection.frames, queues).map((text) => (options.ignoresNonce ? text.replace('"nonce":"any",', "") : text)), connection.ended ? "(closed)" : "(open)"];
    if (reloads.length > 0) seen["reload"] = reloads;
    const sent = session.steps.map((step) => (step.kind === "send" ? step.bytes : "")).join("");
    const hides = hasQueues ? ["out_"] : [];
    // The reference shows whatever a client claims to be, also where something else let it in (a token, a default user).
    // The reference has no tag for the account of a closed connection that is gone from the configuration, and shows claims that a reload took up.
    if (reloads.length > 0) hides.push("name_tag", "authorized_user");
    if (sent.includes(UNKNOWN_NKEY) || (/"user"/.test(sent) && /"auth_token"/.test(sent))) hides.push("authorized_user");
    const found = options.monitoring ? await connz(server, connections, hides) : [];
    const after = options.monitoring ? await readCounters(server) : {};
    const counters: Record<string, unknown> = Object.fromEntries(Object.keys(after).map((key) => [key, (after[key] ?? 0) - (before[key] ?? 0)]));
    const omitted = [...(hasQueues || /hpub/i.test(sent) ? ["out_bytes", "out_client_bytes"] : []), ...(found.some((entry) => CUT_SHORT.has(String(entry.reason))) ? ["in_"] : [])];
    for (const key of Object.keys(counters)) if (omitted.some((prefix) => key.startsWith(prefix))) delete counters[key];
    if (options.monitoring) counters["accounts"] = grown(accountsBefore, await accountCounters(server), beginsUnnamed(session) ? [...omitted, "in_"] : omitted);
    return { connections: seen, queues: queues.sort(), connz: found, counters };
  } finally {
    for (const connection of connections.values()) connection.wire.destroy();
    await clean(server);
  }
}
