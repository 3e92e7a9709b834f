/**
 * The system account's own peer: it publishes events, and answers requests about this server. In every other account it stands in for the few services that
 * the system account offers to everybody. Spec: monitoring, sections 13 to 15.
 */
import type { Account } from "../accounts/index.ts";
import type { ClientLink } from "../links/index.ts";
import { InternalLink } from "../links/internal/index.ts";
import { type CloseReason, encodeJson } from "../protocol/index.ts";
import { type Message, subjectMatches, type Subscriber } from "../routing/index.ts";
import { fromByteString, toByteString } from "../util/bytes.ts";
import { ACCOUNT_ENDPOINTS, accountsStatz, SERVER_ENDPOINTS } from "./endpoints.ts";
import { Events } from "./events.ts";
import type { SystemHost } from "./host.ts";
import { encodeAnswer, isMeant, RequestBody, ServiceError } from "./request.ts";
import { statsz, StatszTimer } from "./statsz.ts";
import { userInfo } from "./userinfo.ts";

export type { SystemHost } from "./host.ts";

/** How trace events name this kind of peer. */
const KIND_SYSTEM = 3;

interface Request {
  readonly subject: string;
  readonly reply: string;
  /** Header block, or empty. */
  readonly header: string;
  readonly payload: string;
  readonly origin: Subscriber | undefined;
}

export class System {
  readonly #link: InternalLink;
  readonly #events: Events;
  readonly #statsz: StatszTimer;
  /** Where the accounts other than the system's ask. */
  readonly #windows = new Map<Account, InternalLink>();

  constructor(
    private readonly host: SystemHost,
    private readonly account: Account,
  ) {
    this.#link = new InternalLink(account, KIND_SYSTEM, "SYSTEM");
    this.#events = new Events(host, {
      isWanted: (subject) => this.#link.hasInterest(toByteString(subject)),
      publish: (subject, body) => this.#publish(this.#link, subject, body),
      publishIn: (within, subject, body) => this.#publish(this.#windowIn(within), subject, body),
    });
    const subject = `$SYS.SERVER.${host.identity.id}.STATSZ`;
    this.#statsz = new StatszTimer(
      host.platform.clock,
      () => this.#link.hasInterest(subject),
      () => this.#publish(this.#link, subject, { server: host.serverBlock(), statsz: statsz(host) }),
    );
  }

  start(): void {
    this.#offer();
    this.greetAll();
    this.#events.start();
    this.#statsz.start();
  }

  /** The last message of this server. */
  stop(): void {
    this.#events.drain();
    this.#events.stop();
    this.#statsz.stop();
    this.#publish(this.#link, `$SYS.SERVER.${this.host.identity.id}.SHUTDOWN`, this.host.serverBlock());
  }

  lameDuck(): void {
    this.#publish(this.#link, `$SYS.SERVER.${this.host.identity.id}.LAMEDUCK`, this.host.serverBlock());
  }

  connected(link: ClientLink): void {
    this.#events.connected(link);
  }

  disconnected(link: ClientLink): void {
    this.#events.disconnected(link);
  }

  refused(link: ClientLink, reason: CloseReason): void {
    this.#events.refused(link, reason);
  }

  /** Accounts come and go: each has its window. */
  greetAll(): void {
    const present = new Set(this.host.accounts.byName.values());
    for (const account of present) if (account !== this.account) this.#windowIn(account);
    for (const [account, window] of this.#windows) {
      if (present.has(account)) continue;
      window.close();
      this.#windows.delete(account);
    }
  }

  /** An account that is new, or may be. */
  greet(account: Account): void {
    this.#windowIn(account);
  }

  #windowIn(account: Account): InternalLink {
    const known = account === this.account ? this.#link : this.#windows.get(account);
    if (known !== undefined) return known;
    const window = new InternalLink(account, KIND_SYSTEM, "SYSTEM");
    this.#windows.set(account, window);
    const own = `$SYS.REQ.ACCOUNT.${account.name}`;
    this.#serve(window, "$SYS.REQ.ACCOUNT.PING.CONNZ", (request) => this.#answerAccount({ ...request, subject: `${own}.CONNZ` }));
    this.#serve(window, "$SYS.REQ.SERVER.PING.CONNZ", (request) => this.#answerAccount({ ...request, subject: `${own}.CONNZ` }));
    this.#serve(window, "$SYS.REQ.ACCOUNT.PING.STATZ", (request) => this.#answerAccount({ ...request, subject: `${own}.STATZ` }));
    this.#serve(window, "$SYS.REQ.USER.INFO", (request) => this.#answerUser(request));
    return window;
  }

  #offer(): void {
    const { id } = this.host.identity;
    const link = this.#link;
    this.#serve(link, "$SYS.REQ.SERVER.PING", (request) => this.#answerStatsz(request));
    for (const prefix of ["$SYS.REQ.SERVER.PING", `$SYS.REQ.SERVER.${id}`]) {
      this.#serve(link, `${prefix}.STATSZ`, (request) => this.#answerStatsz(request));
      this.#serve(link, `${prefix}.IDZ`, ({ reply }) => this.#reply(link, reply, "", { name: this.host.identity.name, host: this.host.options.host, id }));
      for (const [name, endpoint] of SERVER_ENDPOINTS) this.#serve(link, `${prefix}.${name}`, (request) => this.#answer(link, request, (body) => endpoint(this.host, body)));
    }
    this.#serve(link, `$SYS.REQ.SERVER.${id}.RELOAD`, (request) => this.#answerReload(request));
    this.#serve(link, `$SYS.REQ.SERVER.${id}.KICK`, (request) => this.#answer(link, request, (body) => this.#kick(body)));
    this.#serve(link, `$SYS.REQ.SERVER.${id}.LDM`, (request) => this.#answer(link, request, (body) => this.#tellLameDuck(body)));
    for (const name of [...ACCOUNT_ENDPOINTS.keys(), "CONNS"]) this.#serve(link, `$SYS.REQ.ACCOUNT.*.${name}`, (request) => this.#answerAccount(request));
    this.#serve(link, "$SYS.REQ.ACCOUNT.NSUBS", (request) => this.#answerNumber(request));
    this.#serve(link, "$SYS.REQ.USER.INFO", (request) => this.#answerUser(request));
    this.#serve(link, "$SYS.DEBUG.SUBSCRIBERS", (request) => this.#answerSubscribers(request));
  }

  #serve(link: InternalLink, subject: string, handle: (request: Request) => void): void {
    link.subscribe(toByteString(subject), (message: Message, delivered, origin) => {
      const { buffer, bodyStart, headerLength, bodyEnd } = message;
      handle({
        subject: fromByteString(delivered),
        reply: message.reply(),
        header: headerLength === 0 ? "" : buffer.latin1Slice(bodyStart, bodyStart + headerLength),
        payload: buffer.toString("utf8", bodyStart + headerLength, bodyEnd),
        origin,
      });
      return true;
    });
  }

  #answerStatsz(request: Request): void {
    if (request.reply === "") return this.#statsz.now();
    try {
      if (!isMeant(RequestBody.read(request.payload), this.host)) return;
      this.#reply(this.#link, request.reply, "", { server: this.host.serverBlock(), statsz: statsz(this.host) });
    } catch (error) {
      this.#refuse(this.#link, request, error);
    }
  }

  /** `find` gives the data; undefined: no answer at all, null: an answer without data. */
  #answer(link: InternalLink, request: Request, find: (body: RequestBody) => unknown): void {
    if (request.reply === "") return;
    try {
      const body = RequestBody.read(request.payload);
      if (!isMeant(body, this.host)) return;
      const data = find(body);
      if (data !== undefined) this.#reply(link, request.reply, request.header, { server: this.host.serverBlock(), ...(data === null ? {} : { data }) });
    } catch (error) {
      this.#refuse(link, request, error);
    }
  }

  /** `$SYS.REQ.ACCOUNT.<account>.<name>`, asked in the system account, or through a window by the account itself. */
  #answerAccount(request: Request): void {
    const tokens = request.subject.split(".");
    const name = tokens.at(-1) ?? "";
    const account = tokens.slice(3, -1).join(".");
    const window = this.#whereAsked(request.origin);
    const endpoint = ACCOUNT_ENDPOINTS.get(name);
    if (name === "CONNS") return this.#answerConns(request, account);
    if (account === "PING") return name === "STATZ" ? this.#answer(window, request, (body) => accountsStatz(this.host, body)) : name === "CONNZ" ? this.#answer(window, request, (body) => SERVER_ENDPOINTS.get("CONNZ")?.(this.host, body)) : undefined;
    if (endpoint !== undefined) this.#answer(window, request, (body) => endpoint(this.host, body, account));
  }

  #answerConns({ reply }: Request, account: string): void {
    if (reply === "" || (this.host.account(account)?.clientConnections ?? 0) === 0) return;
    const body = this.#events.connectionsOf(account);
    if (body !== undefined) this.#publish(this.#link, fromByteString(reply), body);
  }

  #answerUser(request: Request): void {
    const window = this.#whereAsked(request.origin);
    const data = userInfo(request.origin, Number(this.host.platform.clock.nowNs() / 1_000_000_000n));
    if (request.reply !== "" && data !== undefined) this.#reply(window, request.reply, "", { server: this.host.serverBlock(), data });
  }

  #answerReload(request: Request): void {
    try {
      if (!isMeant(RequestBody.read(request.payload), this.host)) return;
    } catch (error) {
      return this.#refuse(this.#link, request, error);
    }
    const conclude = (problem: string | undefined): void => {
      const body = { server: this.host.serverBlock(), ...(problem === undefined ? {} : { error: { code: 500, description: problem } }) };
      if (request.reply !== "") this.#reply(this.#link, request.reply, request.header, body);
    };
    this.host.reload().then(conclude, (error: unknown) => this.host.log.error(`Internal error: ${String(error)}`));
  }

  #kick(body: RequestBody): null | undefined {
    if (!body.has("cid")) return undefined;
    const link = this.host.connections.live.get(body.number("cid"));
    if (link === undefined) throw new ServiceError(500, "no such client or leafnode id");
    link.close("Kicked");
    return null;
  }

  #tellLameDuck(body: RequestBody): null | undefined {
    if (!body.has("cid")) return undefined;
    const link = this.host.connections.live.get(body.number("cid"));
    if (link === undefined) throw new ServiceError(500, "no such client id");
    if (!link.sendAsyncInfo({ ldm: true })) throw new ServiceError(500, "client does not support Lame Duck Mode or is not ready to receive the notification");
    return null;
  }

  /** Counts what other servers ask for: `{acc, subject, queue}`. */
  #answerNumber(request: Request): void {
    if (request.reply === "") return;
    const body = RequestBody.read(request.payload);
    const count = this.#count(this.host.account(body.text("acc")), body.text("subject"), Buffer.from(body.text("queue"), "base64").toString("utf8"));
    this.#link.publish(request.reply, "", "", String(count));
  }

  #answerSubscribers(request: Request): void {
    const [subject = "", queue = ""] = request.payload.trim().split(/\s+/);
    if (request.reply === "") return;
    const asker = request.origin !== undefined && "account" in request.origin ? (request.origin as ClientLink).account : this.account;
    this.#link.publish(request.reply, "", "", String(subject === "" ? 0 : this.#count(asker, subject, queue)));
  }

  /** Clients' subscriptions to `subject` or a part of it; of one queue group, or of all. */
  #count(account: Account | undefined, subject: string, queue: string): number {
    if (account === undefined) return 0;
    const wanted = toByteString(subject);
    let count = 0;
    for (const link of this.host.connections.live.values()) {
      if (link.account !== account) continue;
      for (const each of link.subscriptions.values()) if ((queue === "" || each.queue === toByteString(queue)) && subjectMatches(each.subject, wanted)) count++;
    }
    return count;
  }

  #whereAsked(origin: Subscriber | undefined): InternalLink {
    const account = origin !== undefined && "account" in origin ? (origin as ClientLink).account : this.account;
    return this.#windowIn(account);
  }

  #refuse(link: InternalLink, { reply }: Request, error: unknown): void {
    if (!(error instanceof ServiceError)) throw error;
    const { code, message: description, withData } = error;
    if (reply !== "") this.#reply(link, reply, "", { server: this.host.serverBlock(), ...(withData ? { data: null } : {}), error: { code, description } });
  }

  #reply(link: InternalLink, reply: string, requestHeader: string, body: unknown): void {
    if (reply === "") return;
    const { header, payload } = encodeAnswer(body, requestHeader);
    link.publish(reply, "", header, payload);
  }

  #publish(link: InternalLink, subject: string, body: unknown): void {
    const at = toByteString(subject);
    if (link.hasInterest(at)) link.publish(at, "", "", toByteString(encodeJson(body)));
  }
}
