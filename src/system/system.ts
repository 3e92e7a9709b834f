/**
 * The system account's own peer: it publishes events, and answers requests about this server. In every other account it stands in for the few services that
 * the system account offers to everybody. Spec: monitoring, sections 13 to 15.
 */
import type { Account } from "../accounts/index.ts";
import type { ClientLink } from "../links/index.ts";
import { InternalLink, type InternalSubscription } from "../links/internal/index.ts";
import { type CloseReason, encodeJson } from "../protocol/index.ts";
import { isValidLiteralSubject, type Message, subjectMatches, type Subscriber } from "../routing/index.ts";
import { fromByteString, toByteString } from "../util/bytes.ts";
import { ACCOUNT_ENDPOINTS, accountOptionsOf, accountsStatz, optionsOf, SERVER_ENDPOINTS } from "./endpoints.ts";
import { Events } from "./events.ts";
import type { SystemHost } from "./host.ts";
import { encodeAnswer, isMeant, RequestBody, ServiceError } from "./request.ts";
import { statsz, StatszTimer } from "./statsz.ts";
import { userInfo } from "./userinfo.ts";

export type { SystemHost } from "./host.ts";

/** How trace events name this kind of peer. */
const KIND_SYSTEM = 3;

/** Services that every account has. */
const BUILT_IN = 4;

/** Where an account other than the system's asks, and what it can ask there. */
interface Window {
  readonly link: InternalLink;
  readonly services: Map<string, InternalSubscription>;
}

interface Request {
  /** Where it was asked, and is answered. */
  readonly link: InternalLink;
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
  readonly #windows = new Map<Account, Window>();

  constructor(
    private readonly host: SystemHost,
    private readonly account: Account,
  ) {
    this.#link = new InternalLink(account, KIND_SYSTEM, "SYSTEM");
    this.#events = new Events(host, {
      isWanted: (subject) => this.#link.hasInterest(toByteString(subject)),
      publish: (subject, body) => this.#publish(this.#link, subject, body),
      publishIn: (within, subject, body) => this.#publish(this.#linkIn(within), subject, body),
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

  left(account: Account): void {
    this.#events.left(account);
  }

  disconnected(link: ClientLink): void {
    this.#events.disconnected(link);
  }

  refused(link: ClientLink, reason: CloseReason): void {
    this.#events.refused(link, reason);
  }

  /** Accounts come and go, and so does what they import: each has its window. */
  greetAll(): void {
    const present = new Set(this.host.accounts.byName.values());
    for (const account of present) this.greet(account);
    for (const [account, { link }] of this.#windows) {
      if (present.has(account)) continue;
      link.close();
      this.#windows.delete(account);
    }
  }

  /** One that is new, or imports something else now. */
  greet(account: Account): void {
    if (account !== this.account) this.#furnish(this.#windowIn(account), account);
  }

  #linkIn(account: Account): InternalLink {
    return account === this.account ? this.#link : this.#windowIn(account).link;
  }

  #windowIn(account: Account): Window {
    const known = this.#windows.get(account);
    if (known !== undefined) return known;
    const window: Window = { link: new InternalLink(account, KIND_SYSTEM, "SYSTEM"), services: new Map() };
    this.#windows.set(account, window);
    return window;
  }

  /** Offers what every account has, but for what the account imports from the system account under the same subject. */
  #furnish({ link, services }: Window, { name }: Account): void {
    const imports = this.host.accountOptions(name)?.imports ?? [];
    if (imports.length === 0 && services.size === BUILT_IN) return;
    const own = `$SYS.REQ.ACCOUNT.${name}`;
    const offers: readonly (readonly [string, (request: Request) => void])[] = [
      ["$SYS.REQ.ACCOUNT.PING.CONNZ", (request) => this.#answerAccount({ ...request, subject: `${own}.CONNZ` })],
      ["$SYS.REQ.SERVER.PING.CONNZ", (request) => this.#answerAccount({ ...request, subject: `${own}.CONNZ` })],
      ["$SYS.REQ.ACCOUNT.PING.STATZ", (request) => this.#answerAccount({ ...request, subject: `${own}.STATZ` })],
      ["$SYS.REQ.USER.INFO", (request) => this.#answerUser(request)],
    ];
    for (const [subject, answer] of offers) {
      const isImported = imports.some((wanted) => wanted.kind === "service" && wanted.account === this.account.name && (wanted.to || wanted.subject) === subject);
      const known = services.get(subject);
      if (isImported && known !== undefined) {
        link.unsubscribe(known);
        services.delete(subject);
      } else if (!isImported && known === undefined) services.set(subject, this.#serve(link, subject, answer));
    }
  }

  #offer(): void {
    const { id } = this.host.identity;
    const link = this.#link;
    this.#serve(link, "$SYS.REQ.SERVER.PING", (request) => this.#answerStatsz(request));
    for (const prefix of ["$SYS.REQ.SERVER.PING", `$SYS.REQ.SERVER.${id}`]) {
      this.#serve(link, `${prefix}.STATSZ`, (request) => this.#answerStatsz(request));
      this.#serve(link, `${prefix}.IDZ`, ({ reply }) => this.#reply(link, reply, "", { name: this.host.identity.name, host: this.host.options.host, id }));
      for (const [name, endpoint] of SERVER_ENDPOINTS) this.#serve(link, `${prefix}.${name}`, (request) => this.#answer(request, optionsOf(name), (body) => endpoint(this.host, body)));
    }
    this.#serve(link, `$SYS.REQ.SERVER.${id}.RELOAD`, (request) => this.#answerReload(request));
    this.#serve(link, `$SYS.REQ.SERVER.${id}.KICK`, (request) => this.#answerAboutClient(request, (cid) => this.#kick(cid)));
    this.#serve(link, `$SYS.REQ.SERVER.${id}.LDM`, (request) => this.#answerAboutClient(request, (cid) => this.#tellLameDuck(cid)));
    for (const name of [...ACCOUNT_ENDPOINTS.keys(), "CONNS"]) this.#serve(link, `$SYS.REQ.ACCOUNT.*.${name}`, (request) => this.#answerAccount(request));
    this.#serve(link, "$SYS.REQ.ACCOUNT.NSUBS", (request) => this.#answerNumber(request));
    this.#serve(link, "$SYS.REQ.USER.INFO", (request) => this.#answerUser(request));
    this.#serve(link, "$SYS.DEBUG.SUBSCRIBERS", (request) => this.#answerSubscribers(request));
  }

  #serve(link: InternalLink, subject: string, handle: (request: Request) => void): InternalSubscription {
    return link.subscribe(toByteString(subject), (message: Message, delivered, origin) => {
      const { buffer, bodyStart, headerLength, bodyEnd } = message;
      handle({
        link,
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
      if (!isMeant(RequestBody.read(request.payload, optionsOf("STATSZ")), this.host)) return;
      this.#reply(this.#link, request.reply, "", { server: this.host.serverBlock(), statsz: statsz(this.host) });
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  /** `find` gives the data; undefined: no answer at all, null: an answer without data. */
  #answer(request: Request, options: string, find: (body: RequestBody) => unknown): void {
    if (request.reply === "") return;
    try {
      const body = RequestBody.read(request.payload, options);
      if (!isMeant(body, this.host)) return;
      const answer = (data: unknown): void => {
        if (data !== undefined) this.#reply(request.link, request.reply, request.header, { server: this.host.serverBlock(), ...(data === null ? {} : { data }) });
      };
      const data = find(body);
      if (data instanceof Promise) data.then(answer, (error: unknown) => this.host.log.error(`Internal error: ${String(error)}`));
      else answer(data);
    } catch (error) {
      this.#refuse(request, error);
    }
  }

  /** `$SYS.REQ.ACCOUNT.<account>.<name>`, asked in the system account, or through a window by the account itself. */
  #answerAccount(request: Request): void {
    const tokens = request.subject.split(".");
    const name = tokens.at(-1) ?? "";
    const account = tokens.slice(3, -1).join(".");
    const endpoint = ACCOUNT_ENDPOINTS.get(name);
    if (name === "CONNS") return this.#answerConns(request, account);
    const options = accountOptionsOf(name);
    if (account === "PING" && name === "STATZ") this.#answer(request, options, (body) => accountsStatz(this.host, body));
    else if (endpoint !== undefined) this.#answer(request, options, (body) => endpoint(this.host, body, account));
  }

  /** Other servers ask this: what is no request for one gets no answer. */
  #answerConns({ reply, payload }: Request, account: string): void {
    const isFine = unlessRefused(() => isMeant(RequestBody.read(payload, "EventFilterOptions"), this.host));
    if (reply === "" || isFine !== true || (this.host.account(account)?.clientConnections ?? 0) === 0) return;
    const body = this.#events.connectionsOf(account);
    if (body !== undefined) this.#publish(this.#link, fromByteString(reply), body);
  }

  #answerUser(request: Request): void {
    const data = userInfo(request.origin, Number(this.host.platform.clock.nowNs() / 1_000_000_000n));
    if (request.reply !== "" && data !== undefined) this.#reply(request.link, request.reply, "", { server: this.host.serverBlock(), data });
  }

  #answerReload(request: Request): void {
    try {
      if (!isMeant(RequestBody.read(request.payload, "EventFilterOptions"), this.host)) return;
    } catch (error) {
      return this.#refuse(request, error);
    }
    const conclude = (problem: string | undefined): void => {
      const body = { server: this.host.serverBlock(), ...(problem === undefined ? {} : { error: { code: 500, description: problem } }) };
      if (request.reply !== "") this.#reply(this.#link, request.reply, request.header, body);
    };
    this.host.reload().then(conclude, (error: unknown) => this.host.log.error(`Internal error: ${String(error)}`));
  }

  /** A request that does not say which client gets no answer. */
  #answerAboutClient(request: Request, act: (cid: number) => null): void {
    const cid = request.payload === "" ? undefined : unlessRefused(() => RequestBody.read(request.payload, "EventFilterOptions").number("cid"));
    if (cid !== undefined) this.#answer(request, "EventFilterOptions", () => act(cid));
  }

  #kick(cid: number): null {
    const link = this.host.connections.live.get(cid);
    if (link === undefined) throw new ServiceError(500, "no such client or leafnode id");
    link.close("Kicked");
    return null;
  }

  #tellLameDuck(cid: number): null {
    const link = this.host.connections.live.get(cid);
    if (link === undefined) throw new ServiceError(500, "no such client id");
    if (!link.sendAsyncInfo({ ldm: true })) throw new ServiceError(500, "client does not support Lame Duck Mode or is not ready to receive the notification");
    return null;
  }

  /** Counts what other servers ask for: `{acc, subject, queue}`. Of an account that is not here they hear nothing. */
  #answerNumber({ reply, payload }: Request): void {
    const count = unlessRefused(() => {
      const body = RequestBody.read(payload, "EventFilterOptions");
      const account = this.host.account(body.text("acc"));
      return account === undefined ? undefined : this.#count(account, body.text("subject"), Buffer.from(body.text("queue"), "base64").toString("utf8"));
    });
    if (reply !== "" && count !== undefined) this.#link.publish(reply, "", "", String(count));
  }

  #answerSubscribers(request: Request): void {
    const [subject = "", queue = ""] = request.payload.trim().split(/\s+/);
    if (request.reply === "") return;
    const asker = request.origin !== undefined && "account" in request.origin ? (request.origin as ClientLink).account : this.account;
    this.#link.publish(request.reply, "", "", String(subject === "" ? 0 : this.#count(asker, subject, queue)));
  }

  /** Clients' subscriptions that get `subject`, or with wildcards get a part of it; of one queue group, or of all. */
  #count(account: Account | undefined, subject: string, queue: string): number {
    if (account === undefined) return 0;
    const wanted = toByteString(subject);
    const fits = isValidLiteralSubject(wanted) ? (own: string) => subjectMatches(wanted, own) : (own: string) => subjectMatches(own, wanted);
    let count = 0;
    for (const link of this.host.connections.live.values()) {
      if (link.account !== account) continue;
      for (const each of link.subscriptions.values()) if ((queue === "" || each.queue === toByteString(queue)) && fits(each.subject)) count++;
    }
    return count;
  }

  #refuse({ link, reply }: Request, error: unknown): void {
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

/** Undefined for a request that cannot be understood. */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
}
