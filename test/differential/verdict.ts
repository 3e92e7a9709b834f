/** Random configuration texts, most of them a little wrong, and what `-t` of a server says of them. */
import { runToEnd } from "../support/server-process.ts";
import { Prng } from "./prng.ts";
import { setup } from "./users.ts";

const LINES = ["max_payload: 1kb", "max_payload: -1", "max_control_line: 2KB", "ping_interval: \"10s\"", "ping_interval: 5", "write_deadline: 2s", "max_subs: 5", "max_connections: 10", "lame_duck_duration: \"1m\"", "debug: yes", "server_name: \"a b\"", "server_name: ok", "no_sys_acc: true", "system_account: A", "mappings: { a: b }", "mappings: { \"a.*\": \"b.$2\" }", "unknown: 1", "port: 99999", "listen: \"1.2.3.4:x\"", "http: 8222", "X = 5\nmax_subs: $X", "max_subs: $Y", "include \"none.conf\"", "jetstream: off", "max_pending: 1m", "tls: {}", "websocket { port: 1, no_tls: true }", "websocket { port: 1 }", "trusted: x", "max_traced_msg_len: 5", "logtime: \"x\"", "ping_max: 1.5", "reconnect_error_reports: 5"];
const PIECES = ["{", "}", "[", "]", ",", ":", "\"", "'", "#", "=", "\n", " ", "(", ";", "%", "$", "\\x", "true", "5", "1k", "3s", "users", "user", "nkey", "permissions", "allow", "max_conn", "a.b..c", ">", "foo.>.x", "\t", "é"];

/** A configuration text. */
export function configText(seed: number): string {
  const random = new Prng(seed);
  let text = random.chance(0.7) ? setup(random, 0.5).config : "";
  text += random.some(0, 4, () => `${random.pick(LINES)}\n`).join("");
  for (const piece of random.some(0, random.chance(0.4) ? 0 : 2, () => random.pick(PIECES))) {
    const at = random.below(text.length + 1);
    text = text.slice(0, at) + piece + text.slice(at + (random.chance(0.5) ? 0 : 1 + random.below(6)));
  }
  return text;
}

/**
 * The verdict on `c` in the folder: valid, and with which digest, or not. The words are not compared here: of several errors the reference reports those that
 * its random walk over the text came to (`test/config` compares the words, one error at a time).
 */
export async function verdict(binary: string, folder: string): Promise<string> {
  const { code, stdout, stderr } = await runToEnd([binary, "-t", "-c", "c"], { folder });
  return `${code ?? "killed"} ${/sha256:\w+/.exec(stdout + stderr)?.[0] ?? "invalid"}`;
}
