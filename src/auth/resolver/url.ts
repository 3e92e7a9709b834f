/** Accounts from a web server: `GET <url>/<account>`. Spec: accounts and authentication, section 8.1. */
import { type HttpClient, HttpError, type HttpTls } from "../../platform/index.ts";
import { goQuote } from "../../util/quote.ts";
import { type Resolver, ResolverError } from "../operator/index.ts";

/** As the reference: a login does not wait longer than the default time to authenticate. */
const TIMEOUT_MS = 1900;

export class UrlResolver implements Resolver {
  readonly #base: string;

  constructor(
    private readonly http: HttpClient,
    url: string,
    private readonly tls: HttpTls | undefined,
  ) {
    this.#base = url.endsWith("/") ? url : `${url}/`;
  }

  fetch(account: string): Promise<string> {
    return this.#get(account);
  }

  /** Whether there is somebody at all. Rejects with `ResolverError`. */
  async check(): Promise<void> {
    await this.#get("");
  }

  async #get(account: string): Promise<string> {
    const url = this.#base + account;
    const failed = (reason: string): ResolverError => new ResolverError(`could not fetch <${goQuote(redacted(url))}>: ${reason}`);
    const scheme = /^(?:([a-z][a-z0-9+.-]*):)?/i.exec(url)?.[1] ?? "";
    if (!/^https?$/i.test(scheme)) throw failed(`Get ${goQuote(redacted(url))}: unsupported protocol scheme ${goQuote(scheme)}`);
    try {
      const { status, statusText, body } = await this.http.get(url, { timeoutMs: TIMEOUT_MS, tls: this.tls });
      if (status !== 200) throw failed(`${status} ${statusText}`.trim());
      // Many a web server ends a text with a line break.
      return body.trimEnd();
    } catch (error) {
      if (error instanceof HttpError) throw failed(`Get ${goQuote(redacted(url))}: ${error.message}`);
      throw error;
    }
  }
}

/** Without the password it may hold. */
function redacted(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^/:@]*):[^/@]*@/i, "$1:xxxxx@");
}
