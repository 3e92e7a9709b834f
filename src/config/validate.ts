/** What is checked of whole, well-formed options before the server starts or reloads. The first reason found is the answer. */
import { formatDurationMs } from "../util/duration.ts";
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { noAuthUserProblem } from "./build.ts";
import { isValidConfiguredSubject } from "../routing/index.ts";
import { toByteString } from "../util/bytes.ts";
import type { JetStreamOptions, Options, WebsocketOptions } from "./options.ts";

const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set(["host", "content-length", "connection", "upgrade", "nats-no-masking"]);

/** The text of the first thing that prevents a start; undefined when nothing does. */
export function validate(options: Options): string | undefined {
  const { lameDuckGracePeriodMs: grace, lameDuckDurationMs: duration, maxPayload, maxPending } = options;
  if (grace >= duration) {
    return `lame duck grace period (${formatDurationMs(grace)}) should be strictly lower than lame duck duration (${formatDurationMs(duration)})`;
  }
  if (maxPayload > maxPending) return `max_payload (${maxPayload}) cannot be higher than max_pending (${maxPending})`;
  if (options.serverName.includes(" ")) return "server name cannot contain spaces";
  const noAuthUser = noAuthUserProblem(options.noAuthUser, options);
  if (noAuthUser !== undefined) return noAuthUser;
  for (const key of options.trustedProxies) {
    if (!isPublicKey(key)) return `proxy trusted key ${goQuote(key)} is invalid`;
  }
  const jetstream = options.jetstream.enabled ? jetstreamProblem(options.jetstream) : undefined;
  if (jetstream !== undefined) return jetstream;
  return options.websocket.port === 0 ? undefined : websocketProblem(options.websocket, options);
}

function jetstreamProblem({ domain, extensionHint }: JetStreamOptions): string | undefined {
  if (/[.*>]/.test(domain)) return "invalid domain name: may not contain ., * or >";
  if (domain !== "" && !isValidConfiguredSubject(toByteString(domain))) return `invalid domain name: derived ${goQuote(`$JS.${domain}.API.>`)} is not a valid subject`;
  if (extensionHint !== "" && extensionHint !== "no_extend" && extensionHint !== "will_extend") return `expected 'no_extend' for string value, got '${extensionHint}'`;
  return undefined;
}

function websocketProblem(websocket: WebsocketOptions, options: Options): string | undefined {
  if (websocket.tls === undefined && !websocket.noTls) return "websocket requires TLS configuration";
  for (const origin of websocket.allowedOrigins) {
    const problem = originProblem(origin);
    if (problem !== undefined) return problem;
  }
  const noAuthUser = noAuthUserProblem(websocket.noAuthUser, options);
  if (noAuthUser !== undefined) return noAuthUser;
  if (options.users.length > 0) {
    const kind = websocket.authorization.username !== "" ? "username" : websocket.authorization.token !== "" ? "token" : undefined;
    if (kind !== undefined) return `websocket authentication ${kind} not compatible with presence of users/nkeys`;
  }
  // Trusted operators do not exist in this version, and only they can verify such a JWT.
  if (websocket.jwtCookie !== "") {
    return `trusted operators or trusted keys configuration is required for JWT authentication via cookie ${goQuote(websocket.jwtCookie)}`;
  }
  for (const header of Object.keys(websocket.headers)) {
    const name = header.toLowerCase();
    if (FORBIDDEN_HEADERS.has(name)) return `websocket: invalid header ${goQuote(header)} not allowed`;
    if (name.startsWith("sec-websocket-")) return `websocket: invalid header ${goQuote(header)}, "Sec-WebSocket-" prefix not allowed`;
  }
  return undefined;
}

function originProblem(origin: string): string | undefined {
  const prefix = `unable to parse allowed origin ${goQuote(origin)}`;
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:|^\//.test(origin)) return `unable to parse allowed origin: parse ${goQuote(origin)}: invalid URI for request`;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(origin)?.[1].toLowerCase();
  if (scheme !== "http" && scheme !== "https") return `${prefix}: allowed origins must be absolute URLs with http or https scheme`;
  return /^https?:\/\/[^/?#]+/i.test(origin) ? undefined : `${prefix}: host is required`;
}
