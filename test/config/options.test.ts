/** Options as the rooms above read them: defaults, interplay of blocks, what this version lacks, certificates, start validation. */
import { describe, expect, test } from "bun:test";
import { type Options, validate } from "../../src/config/index.ts";
import { check, load, type Situation } from "./fakes.ts";
import { PAIR } from "./pair.ts";

function options(text: string, situation: Situation = {}): Options {
  const result = load(text, situation);
  if (!result.ok) throw new Error(result.messages);
  return result.options;
}

test("an empty file gives the defaults", () => {
  const o = options("debug: false");
  expect([o.host, o.port, o.maxPayload, o.maxControlLine, o.maxPending, o.maxConnections]).toEqual(["0.0.0.0", 4222, 1048576, 4096, 67108864, 65536]);
  expect([o.pingIntervalMs, o.pingMax, o.writeDeadlineMs, o.lameDuckDurationMs, o.lameDuckGracePeriodMs]).toEqual([120000, 2, 10000, 120000, 10000]);
  expect([o.systemAccount, o.log.logtime, o.httpPort, o.websocket.port, o.tls]).toEqual(["$SYS", true, 0, 0, undefined]);
  expect(validate(o)).toBeUndefined();
});

test("the digest of the documented example", () => {
  expect(check("port: 4222")).toBe("valid sha256:797533ebd0dfba7d34a0f9337ecf147e442871f48ddfd07ed751575a5737267e");
});

test("variables, environment and includes", () => {
  expect(options("A = 5\nport: $A").port).toBe(5);
  expect(options("port: $P", { environment: { P: "1k" } }).port).toBe(1000);
  expect(options("include 'd/b'\nport: $q", { files: { "d/b": "include n", "d/n": "q = 7" } }).port).toBe(7);
  expect(check("port: $P", { environment: { P: "$P" } })).toBe(
    "variable reference for 'P' on line 1 could not be parsed: variable reference for 'P' on line 1 could not be parsed: variable reference cycle for 'P'",
  );
  expect(check("include c")).toEndWith("includes are nested too deeply");
});

test("users carry their account and the default permissions of their block", () => {
  const o = options(`
    authorization { default_permissions { publish: "a.>", allow_responses: true }
      users: [ { user: u, password: p }, { user: v, permissions { subscribe: { deny: "x q" } } } ] }
    accounts { A { users: [ { user: w } ], limits { max_conn: 3 } } }`);
  expect(o.users.map(({ user, account }) => [user, account])).toEqual([["u", "$G"], ["v", "$G"], ["w", "A"]]);
  expect(o.users[0].permissions).toEqual({ publish: { allow: ["a.>"] }, allowResponses: { maxMessages: 1, expiresMs: 120000 } });
  expect(o.users[1].permissions).toEqual({ subscribe: { deny: ["x q"] } });
  expect(o.accounts[0].limits.maxConnections).toBe(3);
});

test.each([
  ["cluster { port: 6222 }", ["c:1:0: cluster"]],
  ["cluster { name: x }\nmqtt {}\njetstream: false\ngateway {}\nleafnodes {}", []],
    ["debug: true\n jetstream { tpm { pcr: 1 } }", ["c:2:14: tpm"]],
  ["accounts { A { exports: [ { service: x, latency: y } ], imports: [] } }", []],
])("%s asks for %j", (text, unsupported) => {
  expect(options(text).unsupported).toEqual(unsupported);
});

describe("certificates", () => {
  const files = { "cert.pem": PAIR.cert, "key.pem": PAIR.key, "other.pem": PAIR.otherKey, "junk.pem": "junk" };
  const pair = (cert: string, key: string): string => check(`tls { cert_file: ${cert}, key_file: ${key} }`, { files });

  test("a pair is read", () => {
    const tls = options("tls { cert_file: cert.pem, key_file: key.pem, ca_file: cert.pem, verify_and_map: true, first: auto }", { files }).tls;
    expect(tls?.certificates.map(({ certPem }) => certPem)).toEqual([PAIR.cert]);
    expect([tls?.caPem, tls?.verify, tls?.handshakeFirstFallbackMs, tls?.timeoutMs]).toEqual([PAIR.cert, true, 50, 2000]);
  });

  test.each([
    ["cert.pem", "other.pem", "tls: private key does not match public key"],
    ["junk.pem", "key.pem", "tls: failed to find any PEM data in certificate input"],
    ["cert.pem", "junk.pem", "tls: failed to find any PEM data in key input"],
    ["cert.pem", "cert.pem", "tls: found a certificate rather than a key in the PEM for the private key"],
    ["cert.pem", "none.pem", "open none.pem: no such file or directory"],
  ])("%s with %s", (cert, key, cause) => {
    expect(pair(cert, key)).toBe(`c:1:0: error parsing X509 certificate/key pair: ${cause}`);
  });
});

test.each([
  ["lame_duck_duration: 30s, lame_duck_grace_period: 40s", "lame duck grace period (40s) should be strictly lower than lame duck duration (30s)"],
  ["max_payload: 100mb", "max_payload (104857600) cannot be higher than max_pending (67108864)"],
  ["no_auth_user: x", 'no_auth_user: "x" present, but users/nkeys are not defined'],
  ["websocket { port: -1 }", "websocket requires TLS configuration"],
  ["websocket { port: -1, no_tls: true, origins: 'ftp://a' }", 'unable to parse allowed origin "ftp://a": allowed origins must be absolute URLs with http or https scheme'],
  ["websocket { port: -1, no_tls: true, headers { Host: x } }", 'websocket: invalid header "Host" not allowed'],
])("%s does not start", (text, problem) => {
  expect(validate(options(text))).toBe(problem);
});
