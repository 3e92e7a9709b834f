/**
 * Our server and the reference, each with JetStream in a folder of its own, the same configuration, and a connection per account. `both` sends the same request
 * to both and says what each answered, comparable. Sessions follow one another on a pair: `clear` leaves nothing of the one before but counters.
 */
import { ServerProcess } from "../../support/server-process.ts";
import { comparableMessages, differences } from "./comparable.ts";
import { type Delivered, type IsLast, Peer, type Publication } from "./peer.ts";

/** `A` may do everything, `B` has limits. Users are called like their accounts. */
export type AccountName = "A" | "B";
export const ACCOUNTS: readonly AccountName[] = ["A", "B"];

const ACCOUNTS_CONFIG = `server_name: pair
accounts {
  A { users: [ { user: A, password: A } ], jetstream: enabled }
  B { users: [ { user: B, password: B } ], jetstream { max_mem: 4K, max_file: 8K, max_streams: 3, max_consumers: 2, max_bytes_required: false, mem_max_stream_bytes: 2K, disk_max_stream_bytes: 4K, max_ack_pending: 50 } }
  SYS { users: [ { user: S, password: S } ] }
}
system_account: SYS
`;

function config(name: string, jetstream: string): readonly [string, string] {
  return [name, `${ACCOUNTS_CONFIG}jetstream { store_dir: "\${dir}/js", max_mem: 64M, max_file: 256M${jetstream} }\n`];
}

/** What servers are started with, by name. */
export const CONFIGS: Readonly<Record<string, string>> = Object.fromEntries([
  config("plain", ""),
  config("domain", ", domain: D"),
  config("lenient", ", strict: false"),
  config("limited", ', limits { max_ack_pending: 100, max_request_batch: 50, duplicate_window: "1m", batch { max_msgs: 5, max_inflight_per_stream: 2, max_inflight_total: 3 } }'),
]);

/** What both did, as texts that can be compared. */
export interface Both {
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

/** A request, in an account (A unless said). */
export interface Request extends Publication {
  readonly account?: AccountName;
  /** When the answer has several messages. */
  readonly isLast?: IsLast;
}

interface ApiCounts {
  readonly total: number;
  readonly errors: number;
}

/** One of the two servers. */
export class Side {
  /** What a session remembers on this side, by name: subscriptions, replies, whatever its steps need. */
  readonly memory = new Map<string, unknown>();
  /** What the accounts had counted when the session began. */
  readonly #before = new Map<AccountName, ApiCounts>();

  private constructor(
    readonly server: ServerProcess,
    readonly peers: Readonly<Record<AccountName, Peer>>,
  ) {}

  static async start(binary: string, configuration: string): Promise<Side> {
    const server = await ServerProcess.start({ binary, config: configuration });
    const [A, B] = [await Peer.connect(server, "A"), await Peer.connect(server, "B")];
    return new Side(server, { A, B });
  }

  peer({ account = "A" }: { readonly account?: AccountName }): Peer {
    return this.peers[account];
  }

  async request(request: Request, silenceMs: number): Promise<readonly Delivered[]> {
    const answers = await this.peer(request).request(request, silenceMs, request.isLast);
    return request.subject.endsWith(".API.INFO") ? answers.map((answer) => ({ ...answer, payload: this.#sinceClear(answer.payload, request.account ?? "A") })) : answers;
  }

  /** Requests are counted from the beginning of the session on. */
  #sinceClear(info: string, account: AccountName): string {
    return info.replace(/"total":(\d+),"errors":(\d+)/, (_, total: string, errors: string) => {
      const before = this.#before.get(account) ?? { total: 0, errors: 0 };
      return `"total":${Number(total) - before.total},"errors":${Number(errors) - before.errors}`;
    });
  }

  /** The answer as JSON; undefined when there is none, or none that is JSON. */
  async ask<T>(subject: string, body: unknown = "", account: AccountName = "A"): Promise<T | undefined> {
    const [answer] = await this.request({ subject: `$JS.API.${subject}`, payload: typeof body === "string" ? body : JSON.stringify(body), account }, 5000);
    return answer === undefined || answer.payload === "" ? undefined : (JSON.parse(Buffer.from(answer.payload, "latin1").toString("utf8")) as T);
  }

  /** No stream is left in any account. */
  async clear(): Promise<void> {
    for (const account of ACCOUNTS) {
      for (;;) {
        const { streams, missing } = (await this.ask<{ streams?: { config: { name: string } }[]; missing?: string[] }>("STREAM.LIST", "", account)) ?? {};
        const names = [...(streams ?? []).map(({ config: { name } }) => name), ...(missing ?? [])];
        if (names.length === 0) break;
        await Promise.all(names.map((name) => this.ask(`STREAM.DELETE.${name}`, "", account)));
      }
      this.#before.delete(account);
      const info = await this.ask<{ api: ApiCounts }>("INFO", "", account);
      if (info !== undefined) this.#before.set(account, info.api);
    }
    this.memory.clear();
  }

  /** Why this side can not be used any more, if so. */
  get trouble(): string | undefined {
    const closed = ACCOUNTS.filter((account) => this.peers[account].isClosed);
    return closed.length === 0 ? undefined : `connection closed (${closed.join(" ")}): ${closed.flatMap((account) => this.peers[account].complaints).join(" ")}\n${this.server.log.slice(-30).join("\n")}`;
  }

  async stop(): Promise<void> {
    for (const account of ACCOUNTS) this.peers[account].close();
    await this.server.stop();
  }
}

export class JetStreamPair {
  /** How long nothing has to come for an answer to be silence. */
  silenceMs = 200;

  private constructor(
    readonly ours: Side,
    readonly theirs: Side,
  ) {}

  static async start(binaries: { readonly ours: string; readonly reference: string }, configuration: string): Promise<JetStreamPair> {
    const [ours, theirs] = await Promise.all([Side.start(binaries.ours, configuration), Side.start(binaries.reference, configuration)]);
    return new JetStreamPair(ours, theirs);
  }

  /** Does something on both sides at the same time. */
  async each(act: (side: Side) => Promise<readonly string[]>): Promise<Both> {
    const [ours, theirs] = await Promise.all([act(this.ours), act(this.theirs)]);
    return { ours, theirs };
  }

  /** The same request to both. */
  both(request: Request): Promise<Both> {
    return this.each(async (side) => comparableMessages(await side.request(request, this.silenceMs)));
  }

  /** Does something on both sides until they are alike, or for `milliseconds`. For what comes in its own time: mirrors, expiry. */
  async eventually(act: (side: Side) => Promise<readonly string[]>, milliseconds: number): Promise<Both> {
    const end = performance.now() + milliseconds;
    for (;;) {
      const both = await this.each(act);
      if (differences(both.ours, both.theirs).length === 0 || performance.now() > end) return both;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async clear(): Promise<void> {
    await Promise.all([this.ours.clear(), this.theirs.clear()]);
  }

  get trouble(): string | undefined {
    const { ours, theirs } = { ours: this.ours.trouble, theirs: this.theirs.trouble };
    return ours === undefined ? (theirs === undefined ? undefined : `reference: ${theirs}`) : `ours: ${ours}`;
  }

  async stop(): Promise<void> {
    await Promise.all([this.ours.stop(), this.theirs.stop()]);
  }
}
