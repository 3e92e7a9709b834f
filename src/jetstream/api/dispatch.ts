/**
 * Requests on `$JS.API.>`, from every account. They are copied, queued and carried out at the end of the turn, after what was published in it is committed:
 * so whoever publishes and then asks sees its own messages, and a response never overtakes an acknowledgement. Requests about one asset are carried out in
 * the order they came in, also when one of them has to wait for something.
 *
 * The queues are bounded. When one is full all of it is dropped, as the reference does: the requests are old by then, and their senders have given up.
 */
import { API_LEVEL } from "../context.ts";
import type { JetStreamContext } from "../context.ts";
import { encodeJson } from "../../protocol/index.ts";
import { DiskError } from "../../platform/index.ts";
import type { InternalLink } from "../../links/internal/index.ts";
import type { Message, Subscriber } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { encodeInSteps, type JsonPieces, quoteInSteps } from "../json/index.ts";
import { type Sliced, startInSlices } from "../slices.ts";
import type { JetStreamAccount } from "../account.ts";
import { ApiError, type ApiErrorBody, apiError, errorBody } from "./errors.ts";
import type { ApiAnswer, ApiRequest, Route } from "./router.ts";

/** Work of one turn: then sockets get their share again. */
const SLICE_MS = 4;
const PREFIX = "$JS.API.";
const INVALID_JSON = 10025;
const LEVEL_HEADER = "Nats-Required-Api-Level:";

export interface DispatchSource {
  readonly context: JetStreamContext;
  /** Undefined while the account may not use JetStream. */
  account(name: string): JetStreamAccount | undefined;
  /** Pull requests and resets, which their consumer answers itself; false when there is none. */
  pull(account: JetStreamAccount, message: Message, subject: string, origin: Subscriber | undefined): boolean;
  /** Advisory to the system account. */
  onDropped(count: number): void;
}

interface Waiting {
  readonly link: InternalLink;
  readonly route: Route;
  readonly request: Omit<ApiRequest, "account">;
}

/** Routes by their first two tokens. */
type RouteIndex = ReadonlyMap<string, readonly { readonly tokens: readonly string[]; readonly route: Route }[]>;

export class Dispatcher {
  readonly #routes: RouteIndex;
  #requests: Waiting[] = [];
  #infos: Waiting[] = [];
  /** Requests that wait for one of the same asset, by account and asset. */
  readonly #busy = new Map<string, Waiting[]>();
  #scheduled = false;
  #inflight = 0;

  constructor(
    private readonly source: DispatchSource,
    routes: readonly Route[],
  ) {
    const index = new Map<string, { readonly tokens: readonly string[]; readonly route: Route }[]>();
    for (const route of routes) {
      const tokens = route.pattern.split(".");
      const key = tokens.slice(0, 2).join(".");
      index.set(key, [...(index.get(key) ?? []), { tokens, route }]);
    }
    this.#routes = index;
  }

  /** Requests waiting or being carried out. */
  get inflight(): number {
    return this.#requests.length + this.#infos.length + this.#inflight;
  }

  /** Takes a request of an account; false when nobody here answers on that subject. The message is valid during the call only. */
  receive(link: InternalLink, message: Message, subject: string, origin: Subscriber | undefined): boolean {
    const rest = subject.slice(PREFIX.length);
    if (isConsumersOwn(rest)) {
      const account = this.source.account(link.account.name);
      return account !== undefined && this.source.pull(account, message, subject, origin);
    }
    // Direct gets are answered by the streams, each on its own subscription.
    if (rest.startsWith("DIRECT.")) return false;
    const found = this.#find(rest);
    if (found === undefined) return true;
    const { buffer, bodyStart, bodyEnd, headerLength } = message;
    const payloadStart = bodyStart + headerLength;
    const request = {
      subject,
      tokens: found.tokens,
      reply: message.reply(),
      header: headerLength === 0 ? "" : buffer.latin1Slice(bodyStart, payloadStart),
      body: buffer.toString("utf8", payloadStart, bodyEnd),
      origin,
    };
    this.#queue({ link, route: found.route, request });
    return true;
  }

  #find(rest: string): { readonly route: Route; readonly tokens: readonly string[] } | undefined {
    const tokens = rest.split(".");
    const candidates = this.#routes.get(tokens.slice(0, 2).join("."));
    for (const { tokens: pattern, route } of candidates ?? []) {
      const taken = wildcards(pattern, tokens);
      if (taken !== undefined) return { route, tokens: taken };
    }
    return undefined;
  }

  #queue(waiting: Waiting): void {
    const { settings } = this.source.context;
    const informs = waiting.route.informs === true;
    const queue = informs ? this.#infos : this.#requests;
    if (queue.length >= (informs ? settings.infoQueueLimit : settings.requestQueueLimit)) {
      this.source.context.log.warn(`${informs ? "JetStream API info" : "JetStream API"} queue limit reached, dropping ${queue.length} requests`);
      this.source.onDropped(queue.length);
      queue.length = 0;
    }
    queue.push(waiting);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.source.context.atEndOfTurn(this);
  }

  flush(): void {
    this.#scheduled = false;
    const { clock } = this.source.context;
    const until = clock.monotonicMs() + SLICE_MS;
    const requests = this.#requests;
    const infos = this.#infos;
    let request = 0;
    let info = 0;
    while (request < requests.length || info < infos.length) {
      this.#begin(request < requests.length ? requests[request++] : infos[info++]);
      if (clock.monotonicMs() >= until) break;
    }
    this.#requests = requests.slice(request);
    this.#infos = infos.slice(info);
    if (this.#requests.length > 0 || this.#infos.length > 0) this.#schedule();
  }

  /** Carries the request out now, or after those of the same asset that are still being carried out. */
  #begin(waiting: Waiting): void {
    const key = assetOf(waiting);
    const queue = this.#busy.get(key);
    if (queue !== undefined) {
      queue.push(waiting);
      return;
    }
    this.#carryOut(waiting, key);
  }

  #carryOut(waiting: Waiting, key: string): void {
    const account = this.source.account(waiting.link.account.name);
    let outcome: ReturnType<Route["handle"]>;
    try {
      outcome = this.#handle(waiting, account);
    } catch (error) {
      return this.#fail(waiting, account, error);
    }
    const answered = outcome instanceof Promise ? outcome.then((answer) => this.#answer(waiting, account, answer)) : this.#answer(waiting, account, outcome);
    if (answered === undefined) return;
    this.#busy.set(key, []);
    this.#inflight++;
    void answered
      .catch((error: unknown) => this.#fail(waiting, account, error))
      .finally(() => {
        this.#inflight--;
        this.#release(key);
      });
  }

  #release(key: string): void {
    const queue = this.#busy.get(key) ?? [];
    this.#busy.delete(key);
    // All of these came before whatever is queued now.
    this.#requests = [...queue, ...this.#requests];
    if (this.#requests.length > 0) this.#schedule();
  }

  #handle({ route, request }: Waiting, account: JetStreamAccount | undefined): ReturnType<Route["handle"]> {
    if (route.looksAtLevel !== true && !isLevelMet(request.header)) throw apiError(10185);
    if (account === undefined) throw apiError(10039);
    return route.handle({ ...request, account });
  }

  #answer(waiting: Waiting, account: JetStreamAccount | undefined, answer: ApiAnswer | undefined): void | Promise<void> {
    if (answer === undefined) return;
    const { route } = waiting;
    const body = { type: responseType(route), ...answer.body };
    if (answer.isLarge === true) {
      count(account, false);
      return startInSlices(this.source.context, this.#respondInSteps(waiting, account, body));
    }
    const response = encodeJson(body);
    this.#respond(waiting, response, answer.header ?? "");
    if (route.quiet === true) return;
    // An error that comes as an answer is not counted as one.
    count(account, false);
    account?.advise(...AUDIT, this.#audit(waiting.request, response));
  }

  #fail(waiting: Waiting, account: JetStreamAccount | undefined, error: unknown): void {
    count(account, true);
    const body = error instanceof ApiError ? error.body : error instanceof DiskError ? this.#diskFailure(waiting, error) : this.#defect(waiting, error);
    if (body.err_code === INVALID_JSON) {
      const { link, request } = waiting;
      this.source.context.log.warn(`Invalid JetStream request '${link.account.name} > ${fromByteString(request.subject)}': ${body.description.replace(/^invalid JSON: /, "")}`);
    }
    const response = encodeJson({ type: responseType(waiting.route), error: body, ...waiting.route.onError });
    this.#respond(waiting, response, "");
    account?.advise(...AUDIT, this.#audit(waiting.request, response));
  }

  /** The disk is full, or worse. */
  #diskFailure({ link, request }: Waiting, error: DiskError): ApiErrorBody {
    this.source.context.log.error(`JetStream request '${link.account.name} > ${fromByteString(request.subject)}' failed: ${error.message}`);
    return errorBody(10051, { err: error.message });
  }

  #defect({ request }: Waiting, error: unknown): ApiErrorBody {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.source.context.log.error(`Internal error handling request on ${fromByteString(request.subject)}: ${text}`);
    return { code: 500, err_code: 0, description: "internal error" };
  }

  #respond({ link, request }: Waiting, response: string, header: string): void {
    if (request.reply !== "") link.publish(request.reply, "", header, toByteString(response));
  }

  /** An answer of megabytes, which who audits requests gets once more as a string. */
  *#respondInSteps({ link, request }: Waiting, account: JetStreamAccount | undefined, body: Readonly<Record<string, unknown>>): Sliced<void> {
    const response = yield* encodeInSteps(body);
    if (request.reply !== "") link.publish(request.reply, "", "", response.bytes());
    yield;
    const audit = function* (this: Dispatcher): Sliced<Readonly<Record<string, unknown>>> {
      return this.#audit(request, yield* quoteInSteps(response));
    };
    yield* account?.adviseInSteps(...AUDIT, audit.bind(this)) ?? [];
  }

  #audit({ origin, subject, body }: Waiting["request"], response: string | JsonPieces): Readonly<Record<string, unknown>> {
    const { context } = this.source;
    const { domain } = context.settings;
    return {
      server: context.server.name,
      client: context.clientInfo(origin) ?? {},
      subject: fromByteString(subject),
      ...(body === "" ? {} : { request: body }),
      response,
      ...(domain === "" ? {} : { domain }),
    };
  }
}

/** The advisory about each request. */
const AUDIT = ["ADVISORY.API", "api_audit"] as const;

function count(account: JetStreamAccount | undefined, isError: boolean): void {
  if (account === undefined) return;
  account.api.total++;
  if (isError) account.api.errors++;
}

/** Requests that a consumer takes itself. */
function isConsumersOwn(rest: string): boolean {
  return rest.startsWith("CONSUMER.MSG.NEXT.") || rest.startsWith("CONSUMER.RESET.");
}

/** Whether the API answers a request, and not a consumer or a stream. */
export function isOfApi(subject: string): boolean {
  const rest = subject.slice(PREFIX.length);
  return !isConsumersOwn(rest) && !rest.startsWith("DIRECT.");
}

function responseType(route: Route): string {
  return `io.nats.jetstream.api.v1.${route.type}`;
}

/** Assets that requests queue for: the stream that they name, or the account. */
function assetOf({ link, request }: Waiting): string {
  return `${link.account.name} ${request.tokens[0] ?? ""}`;
}

/** What the wildcards of `pattern` stand for in `tokens`; undefined when they do not match. No token may be empty. */
function wildcards(pattern: readonly string[], tokens: readonly string[]): readonly string[] | undefined {
  const taken: string[] = [];
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] === ">") {
      if (i >= tokens.length) return undefined;
      taken.push(tokens.slice(i).join("."));
      return taken;
    }
    const token = tokens[i] ?? "";
    if (pattern[i] === "*" ? token === "" : pattern[i] !== token) return undefined;
    if (pattern[i] === "*") taken.push(token);
  }
  return tokens.length === pattern.length ? taken : undefined;
}

/** Whether the request asks for no more than this server's API level. */
export function isLevelMet(header: string): boolean {
  const at = header.indexOf(`\r\n${LEVEL_HEADER}`);
  if (at < 0) return true;
  const start = at + 2 + LEVEL_HEADER.length;
  const value = header.slice(start, header.indexOf("\r\n", start)).trim();
  return value === "" || (/^[+-]?\d+$/.test(value) && Number(value) <= API_LEVEL);
}
