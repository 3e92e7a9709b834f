/**
 * The HTTP request that opens a WebSocket: checked in the reference's order, answered byte for byte as it does. Pure: a request head in, a verdict out.
 * RFC 6455, section 4.2; spec: WebSocket, section 2.
 */
import type { WebsocketOptions } from "../../config/index.ts";
import { nodeNet } from "../../util/builtin.ts";
import { sha1Base64 } from "../../util/hash.ts";
import { goQuote } from "../../util/quote.ts";
import { hasToken, headerValues, type RequestHead } from "../http/index.ts";

export type UpgradeTarget = "client" | "mqtt" | "leafnode";

export type UpgradeVerdict =
  | { readonly kind: "refused"; readonly status: number; readonly detail: string }
  | {
      readonly kind: "accepted";
      readonly target: UpgradeTarget;
      /** The whole answer. */
      readonly response: string;
      readonly compression: boolean;
      readonly masked: boolean;
      readonly isBrowser: boolean;
      readonly isSafari: boolean;
      /** Address of a forwarding header, or empty. */
      readonly forwardedFor: string;
      readonly cookies: { readonly jwt?: string; readonly user?: string; readonly pass?: string; readonly auth_token?: string };
    };

const ACCEPT_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface UpgradeRules {
  readonly options: WebsocketOptions;
  readonly isTls: boolean;
  readonly hasMqtt: boolean;
}

/** Judges a request. */
export function judgeUpgrade(head: RequestHead, rules: UpgradeRules): UpgradeVerdict {
  const { options } = rules;
  const path = head.target.split("?", 1)[0];
  const target: UpgradeTarget = path.endsWith("/leafnode") ? "leafnode" : path.endsWith("/mqtt") ? "mqtt" : "client";
  if (target === "mqtt" && !rules.hasMqtt) return refused(404, "mqtt websocket endpoint not enabled");
  if (head.method !== "GET") return refused(405, "request method must be GET");
  const host = headerValues(head, "host")[0] ?? "";
  if (host === "") return refused(400, "'Host' missing in request");
  if (!hasToken(head, "upgrade", "websocket")) return refused(400, "invalid value for header 'Upgrade'");
  if (!hasToken(head, "connection", "upgrade")) return refused(400, "invalid value for header 'Connection'");
  const key = headerValues(head, "sec-websocket-key")[0] ?? "";
  if (key === "") return refused(400, "key missing");
  if (!isKey(key)) return refused(400, "invalid websocket key");
  if (!hasToken(head, "sec-websocket-version", "13")) return refused(400, "invalid version");
  const fault = originFault(head, host, rules);
  if (fault !== undefined) return refused(403, `origin not allowed: ${fault}`);

  const compression = options.compression && offersDeflate(head);
  const masked = !headerValues(head, "nats-no-masking").includes("true");
  const agent = headerValues(head, "user-agent")[0] ?? "";
  return {
    kind: "accepted",
    target,
    response: acceptedResponse(key, compression, masked, target, options.headers),
    compression,
    masked,
    isBrowser: target !== "leafnode" && agent.startsWith("Mozilla/"),
    isSafari: agent.includes("Version/") && agent.includes("Safari/"),
    forwardedFor: forwardedAddress(head),
    cookies: target === "leafnode" ? {} : cookiesOf(head, options),
  };
}

function refused(status: number, detail: string): UpgradeVerdict {
  return { kind: "refused", status, detail };
}

function isKey(key: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(key);
}

/** Parameters of the offer do not matter, nor which parameter the name stands beside: the answer is always the same. */
function offersDeflate(head: RequestHead): boolean {
  return headerValues(head, "sec-websocket-extensions").some((value) => value.split(/[,;]/).some((part) => part.trim().toLowerCase() === "permessage-deflate"));
}

function acceptedResponse(key: string, compression: boolean, masked: boolean, target: UpgradeTarget, extra: Readonly<Record<string, string>>): string {
  const accept = sha1Base64(key + ACCEPT_GUID);
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
  if (compression) lines.push("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  if (!masked) lines.push("Nats-No-Masking: true");
  if (target === "mqtt") lines.push("Sec-Websocket-Protocol: mqtt");
  for (const [name, value] of Object.entries(extra)) lines.push(`${name}: ${value}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

/** Why the page that opens this WebSocket may not; undefined when it may. Not being a page at all is fine. */
function originFault(head: RequestHead, host: string, rules: UpgradeRules): string | undefined {
  const { sameOrigin, allowedOrigins } = rules.options;
  if (!sameOrigin && allowedOrigins.length === 0) return undefined;
  const text = headerValues(head, "origin")[0] || headerValues(head, "sec-websocket-origin")[0] || "";
  if (text === "") return undefined;
  const origin = parseOrigin(text);
  if (typeof origin === "string") return `parse ${goQuote(text)}: ${origin}`;
  if (sameOrigin) {
    const own = parseOrigin(`${rules.isTls ? "https" : "http"}://${host}`);
    if (typeof own === "string" || !sameOriginAs(origin, own)) return "not same origin";
  }
  if (allowedOrigins.length === 0) return undefined;
  const listed = allowedOrigins.some((allowed) => {
    const entry = parseOrigin(allowed);
    return typeof entry !== "string" && sameOriginAs(origin, entry);
  });
  return listed ? undefined : "not in the allowed list";
}

function sameOriginAs(a: Origin, b: Origin): boolean {
  return a.scheme === b.scheme && a.host === b.host && a.port === b.port;
}

/** Scheme, host and port of an absolute URI; or what is wrong with it, in Go's words. */
function parseOrigin(text: string): Origin | string {
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?:\/\/([^/?]*))?(.*)$/s.exec(text);
  const scheme = match?.[1]?.toLowerCase() ?? "";
  if (match === null || (scheme === "" && !text.startsWith("/"))) return "invalid URI for request";
  // Behind a path alone there may be anything: it has no host, so it equals nothing.
  if (scheme === "") return { scheme, host: "", port: "80" };
  const authority = (match[2] ?? "").replace(/^.*@/, "");
  if (authority.startsWith("[") && !authority.includes("]")) return "missing ']' in host";
  const [, host, rest] = /^(\[[^\]]*\]|[^:]*)(.*)$/s.exec(authority) ?? ["", "", ""];
  if (rest !== "" && !/^:\d*$/.test(rest)) return `invalid port ${goQuote(rest)} after host`;
  const forbidden = /[\s"#<>\\^`{|}]/.exec(host);
  if (forbidden !== null) return `invalid character ${goQuote(forbidden[0])} in host name`;
  return { scheme, host: host.toLowerCase(), port: rest === "" ? defaultPort(scheme) : rest.slice(1) };
}

function defaultPort(scheme: string): string {
  return scheme === "https" ? "443" : "80";
}

/** The whole value of the first header line must be one address: a list could be forged by anybody. */
function forwardedAddress(head: RequestHead): string {
  const value = headerValues(head, "x-forwarded-for")[0] ?? "";
  return value.includes("%") || nodeNet().isIP(value) === 0 ? "" : value;
}

function cookiesOf(head: RequestHead, options: WebsocketOptions): Extract<UpgradeVerdict, { kind: "accepted" }>["cookies"] {
  const cookies = new Map<string, string>();
  for (const line of headerValues(head, "cookie")) {
    for (const part of line.split(";")) {
      const equals = part.indexOf("=");
      const name = part.slice(0, equals).trim();
      if (equals > 0 && !cookies.has(name)) cookies.set(name, part.slice(equals + 1).trim().replace(/^"(.*)"$/, "$1"));
    }
  }
  const wanted = { jwt: options.jwtCookie, user: options.userCookie, pass: options.passCookie, auth_token: options.tokenCookie };
  return Object.fromEntries(Object.entries(wanted).flatMap(([field, name]) => (name === "" || !cookies.has(name) ? [] : [[field, cookies.get(name)]])));
}

const REASONS: Readonly<Record<number, string>> = { 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed" };

/** The answer to a refused request, after which the connection goes on, unless it `closes`. `atMs` is wall clock time. */
export function refusalResponse(status: number, version: string, atMs: number, closes: boolean): string {
  const body = `${REASONS[status] ?? ""}\n`;
  const lines = [`HTTP/${version} ${status} ${REASONS[status] ?? ""}`, "Content-Type: text/plain; charset=utf-8", "Sec-Websocket-Version: 13", "X-Content-Type-Options: nosniff", `Date: ${new Date(atMs).toUTCString()}`, `Content-Length: ${body.length}`];
  if (closes && version === "1.1") lines.push("Connection: close");
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
