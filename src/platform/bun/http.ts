/** Web requests by `fetch`. */
import { HTTP_BODY_MAX, type HttpAnswer, type HttpClient, HttpError } from "../http.ts";

export const bunHttp: HttpClient = {
  async get(url, { timeoutMs, tls }): Promise<HttpAnswer> {
    const secure = tls === undefined ? {} : { tls: { ...(tls.ca === "" ? {} : { ca: tls.ca }), ...(tls.certificate === "" ? {} : { cert: tls.certificate, key: tls.key }), rejectUnauthorized: !tls.insecure } };
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), ...secure });
      const body = await bounded(response);
      return { status: response.status, statusText: response.statusText, body };
    } catch (error) {
      if (error instanceof HttpError) throw error;
      throw new HttpError(error instanceof Error ? reasonOf(error, url) : String(error));
    }
  },
};

/** Host and port, as they are dialled. */
function addressOf(url: string): string {
  const { protocol, hostname, port } = new URL(url);
  return `${hostname}:${port === "" ? (protocol === "https:" ? "443" : "80") : port}`;
}

const REFUSED: ReadonlySet<string> = new Set(["ECONNREFUSED", "ConnectionRefused"]);
const UNKNOWN_AUTHORITY = "tls: failed to verify certificate: x509: certificate signed by unknown authority";

/** What the runtime's codes mean, in the reference's words. */
const REASONS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
};

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > HTTP_BODY_MAX) throw new HttpError(`more than ${HTTP_BODY_MAX} bytes`);
  }
  return Buffer.concat(parts).toString("utf8");
}

function reasonOf(error: Error, url: string): string {
  if (error.name === "TimeoutError") return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (REFUSED.has(code)) return `dial tcp ${addressOf(url)}: connect: connection refused`;
  return REASONS[code] ?? error.message;
}
