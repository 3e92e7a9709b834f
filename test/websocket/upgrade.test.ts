/** Upgrade requests: who is let in, as what, and how the others are answered; every row as the reference does it. */
import { describe, expect, test } from "bun:test";
import type { WebsocketOptions } from "../../src/config/index.ts";
import { parseRequestHead } from "../../src/links/http/index.ts";
import { judgeUpgrade, refusalResponse, type UpgradeVerdict } from "../../src/links/websocket/upgrade.ts";

const OPTIONS: WebsocketOptions = {
  host: "127.0.0.1",
  port: 8080,
  advertise: "",
  noTls: true,
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

interface Request {
  readonly method?: string;
  readonly path?: string;
  /** Replaces headers; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}

function judge(request: Request = {}, options: Partial<WebsocketOptions> = {}, rules: { readonly isTls?: boolean; readonly hasMqtt?: boolean } = {}): UpgradeVerdict {
  const headers = { Host: "example.com", Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13", ...request.headers };
  const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [value].flat().map((each) => `${name}: ${each}\r\n`)));
  const verdict = parseRequestHead(Buffer.from(`${request.method ?? "GET"} ${request.path ?? "/"} HTTP/1.1\r\n${lines.join("")}\r\n`, "latin1"));
  if (verdict.kind !== "head") throw new Error("not a head");
  return judgeUpgrade(verdict.head, { options: { ...OPTIONS, ...options }, isTls: rules.isTls ?? false, hasMqtt: rules.hasMqtt ?? false });
}

function accepted(...args: Parameters<typeof judge>): Extract<UpgradeVerdict, { kind: "accepted" }> {
  const verdict = judge(...args);
  if (verdict.kind !== "accepted") throw new Error(`refused: ${verdict.detail}`);
  return verdict;
}

const refused = (status: number, detail: string): UpgradeVerdict => ({ kind: "refused", status, detail });

test("the answer of RFC 6455's own example, byte for byte", () => {
  expect(accepted().response).toBe("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
});

test("everything at once, in the reference's order", () => {
  const headers = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits", "Nats-No-Masking": "true" };
  const { response } = accepted({ path: "/mqtt", headers }, { compression: true, headers: { "X-Own": "1" } }, { hasMqtt: true });
  expect(response.split("\r\n").slice(4)).toEqual([
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "Nats-No-Masking: true",
    "Sec-Websocket-Protocol: mqtt",
    "X-Own: 1",
    "",
    "",
  ]);
});

describe("refusals", () => {
  const cases: readonly (readonly [string, Request, UpgradeVerdict])[] = [
    ["mqtt without MQTT", { path: "/x/mqtt?y=1" }, refused(404, "mqtt websocket endpoint not enabled")],
    ["another method", { method: "POST" }, refused(405, "request method must be GET")],
    ["a method in lower case", { method: "get" }, refused(405, "request method must be GET")],
    ["no host", { headers: { Host: "" } }, refused(400, "'Host' missing in request")],
    ["no Upgrade", { headers: { Upgrade: undefined } }, refused(400, "invalid value for header 'Upgrade'")],
    ["another Upgrade", { headers: { Upgrade: "websockets" } }, refused(400, "invalid value for header 'Upgrade'")],
    ["no Connection", { headers: { Connection: "keep-alive" } }, refused(400, "invalid value for header 'Connection'")],
    ["no key", { headers: { "Sec-WebSocket-Key": undefined } }, refused(400, "key missing")],
    ["a short key", { headers: { "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA" } }, refused(400, "invalid websocket key")],
    ["a key without padding", { headers: { "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ" } }, refused(400, "invalid websocket key")],
    ["version 8", { headers: { "Sec-WebSocket-Version": "8" } }, refused(400, "invalid version")],
  ];
  for (const [name, request, verdict] of cases) test(name, () => expect(judge(request)).toEqual(verdict));

  test("the answer names version and time, and closes only when asked to", () => {
    const response = refusalResponse(403, "1.1", Date.UTC(2026, 0, 2, 3, 4, 5), false);
    expect(response).toBe("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\nSec-Websocket-Version: 13\r\nX-Content-Type-Options: nosniff\r\nDate: Fri, 02 Jan 2026 03:04:05 GMT\r\nContent-Length: 10\r\n\r\nForbidden\n");
    expect(refusalResponse(403, "1.1", 0, true)).toContain("\r\nConnection: close\r\n");
  });
});

test("tokens are found in lists, in several lines, in any letter case", () => {
  accepted({ headers: { Upgrade: "h2c, WebSocket", Connection: ["keep-alive", "x,  uPgRaDe"], "Sec-WebSocket-Version": "8, 13" } });
});

test("the end of the path says what the connection is", () => {
  expect(accepted({ path: "/any/path?x=/leafnode" }).target).toBe("client");
  expect(accepted({ path: "/a/leafnode?q" }).target).toBe("leafnode");
  expect(accepted({ path: "/mqtt" }, {}, { hasMqtt: true }).target).toBe("mqtt");
});

describe("compression", () => {
  const agreed = (offer: string, compression = true): boolean => accepted({ headers: { "Sec-WebSocket-Extensions": offer } }, { compression }).compression;
  test("when both want it, whatever the parameters", () => {
    for (const offer of ["permessage-deflate", "Permessage-Deflate; client_max_window_bits=9", "foo; a=b, permessage-deflate; server_no_context_takeover"]) expect(agreed(offer)).toBe(true);
    for (const offer of ["permessage-deflate-x", "x-permessage-deflate", "permessage-deflate=1", "foo"]) expect(agreed(offer)).toBe(false);
    expect(agreed("permessage-deflate", false)).toBe(false);
  });
});

test("masking is waived for exactly `true`", () => {
  expect(accepted({ headers: { "Nats-No-Masking": "true" } }).masked).toBe(false);
  expect(accepted({ headers: { "Nats-No-Masking": "TRUE" } }).masked).toBe(true);
  expect(accepted().masked).toBe(true);
});

test("browsers are known by their agent, except for leafnodes", () => {
  const agent = { "User-Agent": "Mozilla/5.0 (Macintosh) AppleWebKit/605 (KHTML) Version/17.0 Safari/605" };
  expect(accepted({ headers: agent })).toMatchObject({ isBrowser: true, isSafari: true });
  expect(accepted({ headers: { "User-Agent": "Mozilla/5.0 Chrome/120.0 Safari/537" } })).toMatchObject({ isBrowser: true, isSafari: false });
  expect(accepted({ headers: agent, path: "/leafnode" }).isBrowser).toBe(false);
  expect(accepted({ headers: { "User-Agent": "curl Mozilla/5.0" } }).isBrowser).toBe(false);
});

test("a forwarding header is one address or nothing", () => {
  const shown = (...values: string[]): string => accepted({ headers: { "X-Forwarded-For": values } }).forwardedFor;
  expect(shown("9.9.9.9")).toBe("9.9.9.9");
  expect(shown(" 9.9.9.9 ")).toBe("9.9.9.9");
  for (const value of ["1.2.3.4, 5.6.7.8", "foo", "", "fe80::1%eth0", "1.2.3.4:80"]) expect(shown(value)).toBe("");
  expect(shown("bad", "1.2.3.4")).toBe("");
});

test("cookies of the names configured, the first of a name", () => {
  const headers = { Cookie: ['a=1; u=alice; u=bob; q="quoted"', "p=secret=x"] };
  expect(accepted({ headers }, { userCookie: "u", passCookie: "p", tokenCookie: "q", jwtCookie: "none" }).cookies).toEqual({ user: "alice", pass: "secret=x", auth_token: "quoted" });
  expect(accepted({ headers, path: "/leafnode" }, { userCookie: "u" }).cookies).toEqual({});
});

describe("origins", () => {
  const verdictOf = (origin: string | undefined, options: Partial<WebsocketOptions>, host = "localhost", isTls = false): string => {
    const verdict = judge({ headers: { Host: host, Origin: origin } }, options, { isTls });
    return verdict.kind === "accepted" ? "accepted" : verdict.status === 403 ? verdict.detail.replace("origin not allowed: ", "") : `status ${verdict.status}`;
  };

  test("same_origin", () => {
    const same = { sameOrigin: true };
    for (const origin of [undefined, "", "http://localhost", "http://LOCALHOST:80", "http://localhost/path", "http://user@localhost"]) expect([origin, verdictOf(origin, same)]).toEqual([origin, "accepted"]);
    for (const origin of ["https://localhost", "http://localhost:81", "http://other", "//x", "http://", "file:///x", "data:x"]) expect([origin, verdictOf(origin, same)]).toEqual([origin, "not same origin"]);
    expect(verdictOf("https://localhost", same, "localhost", true)).toBe("accepted");
    expect(verdictOf("https://localhost", same, "localhost:443", true)).toBe("accepted");
    expect(verdictOf("http://[::1]:9", same, "[::1]:9")).toBe("accepted");
  });

  test("allowed_origins", () => {
    const listed = { allowedOrigins: ["https://A.com", "http://b.com:8080", "http://[::1]:9", "https://c.com:443/x?y#z"] };
    for (const origin of [undefined, "https://a.com", "HTTPS://a.com:443", "https://A.COM/", "http://b.com:8080/x", "http://[::1]:9", "https://c.com", "https://user:pw@a.com"]) expect([origin, verdictOf(origin, listed)]).toEqual([origin, "accepted"]);
    for (const origin of ["http://a.com", "http://b.com", "https://a.com:0443", "https://a.com:", "https://evil.com", "https://a.com.evil.com"]) expect([origin, verdictOf(origin, listed)]).toEqual([origin, "not in the allowed list"]);
  });

  test("both must hold", () => {
    const both = { sameOrigin: true, allowedOrigins: ["http://localhost", "http://b.com"] };
    expect(verdictOf("http://localhost", both)).toBe("accepted");
    expect(verdictOf("http://b.com", both)).toBe("not same origin");
    expect(verdictOf("http://localhost:81", { ...both })).toBe("not same origin");
  });

  test("what is no URI is refused with its fault", () => {
    for (const [origin, fault] of [
      ["null", "invalid URI for request"],
      ["foo", "invalid URI for request"],
      ["http://b.com:bad", 'invalid port ":bad" after host'],
      ["http://[::1", "missing ']' in host"],
      ["https://evil.com#https://a.com", 'invalid character "#" in host name'],
    ]) expect(verdictOf(origin, { sameOrigin: true })).toBe(`parse "${origin}": ${fault}`);
  });

  test("the old name of the header counts when the new one is absent or empty", () => {
    const options = { allowedOrigins: ["https://a.com"] };
    expect(judge({ headers: { "Sec-WebSocket-Origin": "https://x.com" } }, options)).toEqual(refused(403, "origin not allowed: not in the allowed list"));
    expect(judge({ headers: { "Sec-WebSocket-Origin": "https://x.com", Origin: "https://a.com" } }, options).kind).toBe("accepted");
  });
});
