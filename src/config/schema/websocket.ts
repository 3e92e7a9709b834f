/** `websocket {}`: a second listener for the same clients. */
import { msOfNs, parseDuration } from "../../util/duration.ts";
import type { WebsocketOptions } from "../options.ts";
import { typeName } from "../values.ts";
import { type AnyOption, type Form, option } from "./form.ts";
import { block, duration, flag, integer, listen, strings, text } from "./forms.ts";
import { tls } from "./tls.ts";
import { listenerAuthorization } from "./users.ts";

/** Milliseconds. An integer is seconds, here without a warning; the error text has no prefix. */
const handshakeTimeout: Form<number> = {
  label: "seconds or duration",
  read({ node }, reading) {
    const { value } = node;
    if (value.kind === "integer") return Number(value.integer) * 1000;
    if (value.kind !== "string") {
      reading.error(node.position, `error parsing handshake timeout: unsupported type ${typeName(value)}`);
      return undefined;
    }
    const parsed = parseDuration(value.text);
    if (parsed.ok) return msOfNs(parsed.ns);
    reading.error(node.position, parsed.error);
    return undefined;
  },
};

const headers: Form<Readonly<Record<string, string>>> = {
  label: "map of strings",
  read({ node }, reading) {
    if (node.value.kind !== "map") {
      reading.error(node.position, `error parsing headers: unsupported type ${typeName(node.value)}`);
      return undefined;
    }
    const read: Record<string, string> = {};
    for (const [key, { value, position }] of node.value.entries) {
      if (value.kind === "string") read[key] = value.text;
      else reading.error(position, `error parsing header key ${key}: unsupported type ${typeName(value)}`);
    }
    return read;
  },
};

export const websocketBlock = {
  listen: option(listen, "Address to listen on."),
  host: option(text, "Host to listen on.", { aliases: ["net"], default: "0.0.0.0" }),
  port: option(integer, "Port to listen on; -1 picks a free one.", { default: "0 (off)" }),
  advertise: option(text, "Address told to other servers' clients."),
  tls: option(tls, "TLS; required unless `no_tls`.", { reload: "applied" }),
  no_tls: option(flag, "Run without TLS.", { default: "false" }),
  same_origin: option(flag, "The browser's origin must be this host.", { default: "false" }),
  allowed_origins: option(strings("allowed origins"), "Origins that may connect.", {
    aliases: ["allowed_origin", "allow_origins", "allow_origin", "origins", "origin"],
    default: "any",
  }),
  handshake_timeout: option(handshakeTimeout, "Time for the whole handshake.", { default: "0 (no limit)" }),
  compression: option(flag, "Offer compression.", { aliases: ["compress"], default: "false" }),
  authorization: option(listenerAuthorization, "Single user or token of this listener.", { aliases: ["authentication"] }),
  no_auth_user: option(text, "User of clients that present nothing."),
  jwt_cookie: option(text, "Cookie that holds a user JWT."),
  user_cookie: option(text, "Cookie that holds the user name."),
  pass_cookie: option(text, "Cookie that holds the password."),
  token_cookie: option(text, "Cookie that holds the token."),
  headers: option(headers, "Further headers of the answer."),
  ping_interval: option(duration(), "PING interval of this listener.", { default: "the server's" }),
} satisfies Record<string, AnyOption>;

export const DEFAULT_WEBSOCKET: WebsocketOptions = {
  host: "",
  port: 0,
  advertise: "",
  noTls: false,
  sameOrigin: false,
  allowedOrigins: [],
  handshakeTimeoutMs: 0,
  compression: false,
  authorization: { username: "", password: "", token: "" },
  noAuthUser: "",
  jwtCookie: "",
  userCookie: "",
  passCookie: "",
  tokenCookie: "",
  headers: {},
  pingIntervalMs: 0,
};

export const websocket: Form<WebsocketOptions> = block(
  websocketBlock,
  (type) => `Expected websocket to be a map, got ${type}`,
  ({ values }) => ({
    host: values.host ?? values.listen?.host ?? "",
    port: values.port ?? values.listen?.port ?? 0,
    advertise: values.advertise ?? "",
    tls: values.tls,
    noTls: values.no_tls ?? false,
    sameOrigin: values.same_origin ?? false,
    allowedOrigins: values.allowed_origins ?? [],
    handshakeTimeoutMs: values.handshake_timeout ?? 0,
    compression: values.compression ?? false,
    authorization: values.authorization ?? DEFAULT_WEBSOCKET.authorization,
    noAuthUser: values.no_auth_user ?? "",
    jwtCookie: values.jwt_cookie ?? "",
    userCookie: values.user_cookie ?? "",
    passCookie: values.pass_cookie ?? "",
    tokenCookie: values.token_cookie ?? "",
    headers: values.headers ?? {},
    pingIntervalMs: values.ping_interval === undefined ? 0 : msOfNs(values.ping_interval),
  }),
);

