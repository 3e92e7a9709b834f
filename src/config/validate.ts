/** What is checked of whole, well-formed options before the server starts or reloads. The first reason found is the answer. */
import { formatDurationMs } from "../util/duration.ts";
import { isPublicKey } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { decodeUser, hasNoLimits, hasPermissions, JwtError, type OperatorClaims } from "../jwt/index.ts";
import { VERSION } from "../util/version.ts";
import { DEFAULT_SYSTEM_ACCOUNT, isOperatorMode, noAuthUserProblem } from "./build.ts";
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
  const operator = operatorProblem(options);
  if (operator !== undefined) return operator;
  const noAuthUser = noAuthUserProblem(options.noAuthUser, options);
  if (noAuthUser !== undefined) return noAuthUser;
  for (const key of options.trustedProxies) {
    if (!isPublicKey(key)) return `proxy trusted key ${goQuote(key)} is invalid`;
  }
  const jetstream = options.jetstream.enabled ? jetstreamProblem(options.jetstream) : undefined;
  if (jetstream !== undefined) return jetstream;
  return options.websocket.port === 0 ? undefined : websocketProblem(options.websocket, options);
}

/** Spec: configuration, section 3.1, steps 4, 5 and 14. */
function operatorProblem(options: Options): string | undefined {
  const { operator, systemAccount } = options;
  const { operators, trustedKeys, resolver, preloads, pinnedAccounts, defaultSentinel } = operator;
  if (defaultSentinel !== "") {
    if (operators.length === 0) return "default sentinel requires operators and accounts";
    const problem = sentinelProblem(defaultSentinel);
    if (problem !== undefined) return problem;
  }
  if (operators.length > 0) {
    if (resolver === undefined) return "operators require an account resolver to be configured";
    if (options.accounts.length > 0) return "operators do not allow Accounts to be configured directly";
    if (options.users.length > 0) return "operators do not allow users to be configured directly";
    if (options.authCallout !== undefined) return "operators do not allow authorization callouts to be configured directly";
    if (trustedKeys.length > 0) return "conflicting options for 'TrustedKeys' and 'TrustedOperators'";
    for (const claims of operators) {
      if (claims.systemAccount !== "" && systemAccount !== "" && claims.systemAccount !== systemAccount) return "system_account in config and operator JWT must be identical";
    }
    for (const claims of operators) {
      const problem = versionProblem(claims);
      if (problem !== undefined) return problem;
    }
  }
  for (const key of pinnedAccounts) if (!isPublicKey(key, "account")) return `pinned account key ${goQuote(key)} is not a valid public account nkey`;
  if (!isOperatorMode(options)) return undefined;
  if (options.noAuthUser !== "") return "no_auth_user not compatible with Trusted Operator";
  const keepsTokens = resolver?.kind === "full" || resolver?.kind === "cache";
  if (keepsTokens && (systemAccount === "" || systemAccount === DEFAULT_SYSTEM_ACCOUNT)) return "using nats based account resolver - the system account needs to be specified in configuration or the operator jwt";
  if (preloads.size > 0 && resolver?.kind === "url") return "resolver preloads only available for writeable resolver types MEM/DIR/CACHE_DIR";
  if (systemAccount !== "" && systemAccount !== DEFAULT_SYSTEM_ACCOUNT && resolver?.kind === "memory" && !preloads.has(systemAccount)) return "error resolving system account: account missing";
  return undefined;
}

function sentinelProblem(token: string): string | undefined {
  try {
    const user = decodeUser(token);
    const isScoped = user.issuerAccount !== "" && !hasPermissions(user) && hasNoLimits(user);
    return user.bearerToken || isScoped ? undefined : "default sentinel must be a bearer token";
  } catch (error) {
    if (error instanceof JwtError) return "default sentinel JWT not valid";
    throw error;
  }
}

/** Whether this server is older than the operator wants. */
function versionProblem({ sub, assertServerVersion }: OperatorClaims): string | undefined {
  if (assertServerVersion === "") return undefined;
  const [wanted, own] = [assertServerVersion, VERSION].map((text) => text.split(".").map(Number));
  for (const [index, part] of ["major", "minor", "update"].entries()) {
    if (own[index] > wanted[index]) return undefined;
    if (own[index] < wanted[index]) return `operator ${sub} expected ${part} version ${wanted[index]} > server ${part} version ${own[index]}`;
  }
  return undefined;
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
  if (websocket.jwtCookie !== "" && !isOperatorMode(options)) {
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
