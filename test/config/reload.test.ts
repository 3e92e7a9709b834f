/** What a reload refuses and what it logs, in order. */
import { expect, test } from "bun:test";
import { diffOptions, type Options } from "../../src/config/index.ts";
import { load } from "./fakes.ts";

function options(text: string): Options {
  const result = load(text);
  if (!result.ok) throw new Error(result.messages);
  return result.options;
}

function lines(before: string, after: string): readonly string[] {
  const diff = diffOptions(options(before), options(after));
  return diff.ok ? diff.changes.map(({ line }) => line) : [diff.refused];
}

const ALWAYS = ["Reloaded: authorization users", "Reloaded: accounts"];

test("users and accounts always count as changed", () => {
  expect(lines("port: 1", "port: 1")).toEqual(ALWAYS);
});

test("lines come in one order", () => {
  const changed = 'port: 1\nping_max: 3\ntrace: true\nclient_advertise: "h:1"\nmax_connections: 5\nserver_tags: a\nping_interval: "10s"';
  expect(lines("port: 1", changed)).toEqual([
    "Reload: client_advertise = h:1", "Reloaded: trace = true", "Reloaded: max_connections = 5", ...ALWAYS,
    "Reloaded: ping_interval = 10s", "Reloaded: ping_max = 3", "Reloaded: tags",
  ]);
});

test.each([
  ["server_name: x", "ServerName: old=, new=x"],
  ["feature_flags { a: true }", "FeatureFlags: old=map[], new=map[a:true]"],
  ["lame_duck_duration: 60s", "LameDuckDuration: old=2m0s, new=1m0s"],
  ["write_timeout: close", "WriteTimeout: old=, new=close"],
  ["system_account: A", "SystemAccount: old=, new=A"],
])("%s is refused", (text, rest) => {
  expect(lines("debug: false", text)).toEqual([`config reload not supported for ${rest}`]);
});

test("a random port stays what it became", () => {
  const diff = diffOptions({ ...options("port: -1"), port: 40123 }, options("port: -1"));
  expect(diff).toMatchObject({ ok: true, options: { port: 40123 } });
});

test("a changed password of the websocket block is refused without showing it", () => {
  const block = (pass: string): string => `websocket { port: 1, no_tls: true, authorization { user: u, pass: ${pass} } }`;
  const [text] = lines(block("secret1"), block("secret2"));
  expect(text).toStartWith("config reload not supported for Websocket: old=");
  expect(text).not.toContain("secret");
});
