/** The door to web servers that this server asks. */

export interface HttpTls {
  /** PEM; empty: the system's roots. */
  readonly ca: string;
  /** PEM of a client certificate; empty: none. */
  readonly certificate: string;
  readonly key: string;
  /** Takes any certificate. */
  readonly insecure: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly body: string;
}

/** No answer came; the message says why. */
export class HttpError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "HttpError";
  }
}

export interface HttpClient {
  /** Follows redirections. Rejects with `HttpError` when no whole answer came in `timeoutMs`, or a larger one than `HTTP_BODY_MAX`. */
  get(url: string, options: { readonly timeoutMs: number; readonly tls: HttpTls | undefined }): Promise<HttpAnswer>;
}

/** Bytes of an answer: the largest account token is far below. */
export const HTTP_BODY_MAX = 8 * 1024 * 1024;
