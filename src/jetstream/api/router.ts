/**
 * What a request on `$JS.API.>` is, and what answers it. Each family of requests is a table from the tokens after `$JS.API.` to a `Route`; the dispatcher
 * (`dispatch.ts`) finds the route, checks what is common to all (API level, account), and turns results and `ApiError`s into responses.
 */
import type { Subscriber } from "../../routing/index.ts";
import type { JetStreamAccount } from "../account.ts";

export interface ApiRequest {
  readonly account: JetStreamAccount;
  /** Whole subject as delivered, byte string. */
  readonly subject: string;
  /** What the wildcards of the route's pattern stood for, byte strings; a last `>` gives the rest in one. */
  readonly tokens: readonly string[];
  /** Empty: nobody waits for the answer, but the request is carried out. */
  readonly reply: string;
  /** Header block as a byte string, or empty. */
  readonly header: string;
  /** Payload as text (UTF-8). */
  readonly body: string;
  readonly origin: Subscriber | undefined;
}

/** Whether a body says nothing: it is not there, or an object without fields. Blanks alone are something. */
export function isEmptyBody(body: string): boolean {
  return body === "" || /^\s*\{\s*\}\s*$/.test(body);
}

/** What becomes the response: the fields after `type`. With `header`, a header block (byte string) goes along. */
export interface ApiAnswer {
  readonly body: Readonly<Record<string, unknown>>;
  readonly header?: string;
  /** May be of megabytes: is encoded in steps, and may hold `JsonPieces`. */
  readonly isLarge?: boolean;
}

export interface Route {
  /** Tokens after `$JS.API.`: `STREAM.CREATE.*`. */
  readonly pattern: string;
  /** `stream_create_response`; what travels is `io.nats.jetstream.api.v1.` and this. */
  readonly type: string;
  /** Waits in the queue of lower priority (INFO, NAMES, LIST). */
  readonly informs?: boolean;
  /** What succeeds is neither counted nor told to the audit, only answered: reading messages. */
  readonly quiet?: boolean;
  /** The handler looks at the required API level itself, after the body, or not at all. */
  readonly looksAtLevel?: boolean;
  /** Fields that error responses carry as well (paging). */
  readonly onError?: Readonly<Record<string, unknown>>;
  /** Undefined: no answer at all. Throws `ApiError`. */
  handle(request: ApiRequest): ApiAnswer | undefined | Promise<ApiAnswer | undefined>;
}

