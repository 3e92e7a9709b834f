/**
 * Streams, consumers, key-value and object store with the `nats` command-line client, command by command as the documentation has them, on our own executable
 * and beside it on the reference: exit codes and the shape of all output (everything but numbers, times and names made up on the way) must be equal.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Outcome } from "../support/server-process.ts";
import { binaries, hasCli, requireCli, sessionOn, shape } from "./cli-session.ts";

setDefaultTimeout(90_000);
requireCli();

const CONFIG = 'jetstream { store_dir: "${dir}/js", max_mem: 1G, max_file: 4G }';

/** The configuration-management page's stream and consumer. */
const FILES: Readonly<Record<string, string>> = {
  "orders.json": JSON.stringify({
    name: "ORDERS",
    subjects: ["ORDERS.*"],
    retention: "limits",
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: -1,
    max_age: 31536000000000000,
    max_msg_size: -1,
    storage: "file",
    discard: "old",
    num_replicas: 1,
    duplicate_window: 120000000000,
  }),
  "new.json": JSON.stringify({ durable_name: "NEW", ack_policy: "explicit", deliver_policy: "all", filter_subject: "ORDERS.received", max_deliver: 20, replay_policy: "instant", sample_freq: "100" }),
  "object.txt": "the quick brown fox\n".repeat(20_000),
};

interface Scenario {
  readonly name: string;
  /** Command lines; `${dir}` is the server's folder. A leading `!` says that the command fails. */
  readonly commands: readonly string[];
  /** What our output of all commands must contain. */
  readonly text: RegExp;
}

const scenarios: readonly Scenario[] = [
  {
    name: "a stream's life",
    commands: [
      "stream add ORDERS --config ${dir}/orders.json",
      "stream info ORDERS",
      "stream ls",
      "stream ls --names",
      "stream report",
      "pub ORDERS.received one",
      "pub ORDERS.shipped two --header A:b",
      "stream get ORDERS 1",
      "stream get ORDERS --last-for ORDERS.shipped",
      "stream subjects ORDERS --sort name",
      "stream state ORDERS",
      "stream edit ORDERS --max-msgs 10 --force",
      "stream info ORDERS --json",
      "stream rmm ORDERS 1 --force",
      "stream purge ORDERS --force",
      "stream seal ORDERS --force",
      "!stream purge ORDERS --force",
      "stream rm ORDERS --force",
      "!stream info ORDERS",
    ],
    text: /ORDERS\.\*/,
  },
  {
    name: "consumers",
    commands: [
      "stream add ORDERS --config ${dir}/orders.json",
      "consumer add ORDERS --config ${dir}/new.json",
      "consumer add ORDERS DISPATCH --filter ORDERS.processed --ack explicit --pull --deliver all --max-deliver=-1 --sample 100 --replay instant --max-pending 1 --defaults",
      "consumer add ORDERS MONITOR --target monitor.ORDERS --ack none --deliver last --replay instant --heartbeat 5s --defaults",
      "consumer ls ORDERS",
      "consumer ls ORDERS --names",
      "consumer info ORDERS DISPATCH",
      "consumer info ORDERS MONITOR",
      "pub ORDERS.processed one",
      "pub ORDERS.processed two",
      "consumer next ORDERS DISPATCH --count 1 --ack",
      "consumer next ORDERS DISPATCH --count 1 --no-ack",
      "consumer report ORDERS",
      "consumer info ORDERS DISPATCH --json",
      "consumer pause ORDERS DISPATCH --force 1h",
      "consumer resume ORDERS DISPATCH --force",
      "consumer edit ORDERS DISPATCH --max-pending 10 --force",
      "consumer rm ORDERS DISPATCH --force",
      "!consumer info ORDERS DISPATCH",
    ],
    text: /Max Ack Pending/,
  },
  {
    name: "key-value",
    commands: [
      "kv add profiles --history 5 --ttl 1h --description people",
      "kv ls",
      "kv put profiles sue.color blue",
      "kv put profiles sue.color green",
      "kv get profiles sue.color --raw",
      "kv create profiles bob.color red",
      "!kv create profiles bob.color red",
      "kv update profiles bob.color pink 3",
      "!kv update profiles bob.color pink 3",
      "kv history profiles sue.color",
      "kv status profiles",
      "kv ls profiles",
      "kv revert profiles sue.color 1 --force",
      "kv del profiles sue.color --force",
      "!kv get profiles sue.color",
      "kv purge profiles bob.color --force",
      "kv compact profiles --force",
      "kv del profiles --force",
    ],
    text: /green/,
  },
  {
    name: "object store",
    commands: [
      "object add files --description things",
      "object put files ${dir}/object.txt --name fox --no-progress --force",
      "object ls",
      "object ls files",
      "object info files fox",
      "object get files fox --output ${dir}/back.txt --no-progress --force",
      "object info files",
      "object seal files --force",
      "!object rm files fox --force",
      "object rm files --force",
    ],
    text: /Digest/,
  },
  {
    name: "backup and restore",
    commands: [
      "stream add ORDERS --config ${dir}/orders.json",
      "consumer add ORDERS --config ${dir}/new.json",
      "pub ORDERS.received {{Count}} --count 500",
      "stream backup ORDERS ${dir}/backup --no-progress",
      "stream rm ORDERS --force",
      "stream restore ${dir}/backup --no-progress",
      "stream info ORDERS",
      "stream get ORDERS 250",
      "consumer ls ORDERS --names",
    ],
    text: /Messages: 500/,
  },
  {
    name: "mirrors and sources",
    commands: [
      "stream add ORDERS --config ${dir}/orders.json",
      "stream add COPY --mirror ORDERS --storage file --defaults",
      "stream add SUM --source ORDERS --storage memory --defaults",
      "stream info COPY --json",
    ],
    text: /"mirror"/,
  },
  {
    name: "checks and the account",
    commands: ["account info", "stream add ORDERS --config ${dir}/orders.json", "pub ORDERS.received one", "server check jetstream", "server check stream --stream ORDERS", "stream find"],
    text: /JetStream/,
  },
];

/** Lines about the user, which the CLI asks a service of the system account for: this server has none yet. */
const OF_THE_USER = /^ *(?:User:|Account: .*|System Account: .*|Expires: .*)$/;

/** Names and ids that are made up on the way, digests and rulers that depend on them. */
function stable(text: string): string[] {
  return shape(text.replaceAll(/\d{4}-\d\d-\d\d[ T][\d:.]+Z?/g, "<time>").replaceAll(/\b[A-Za-z0-9]{22}\b/g, "<id>").replaceAll(/\bN[A-Z2-7]{55}\b/g, "<server>").replaceAll(/[─━]+/g, "─").replaceAll(/[ \u00a0\t]+/g, " ").replaceAll(/\/tmp\/\S+/g, "<path>").replaceAll(/[\d.]+[KMG]?\/s/g, "<rate>").replaceAll(/"active": -?\d+/g, "<active>")).filter((line) => !OF_THE_USER.test(line));
}

for (const { name, commands, text } of hasCli ? scenarios : []) {
  test(name, async () => {
    const all: (readonly Outcome[])[] = [];
    for (const binary of binaries) {
      const session = await sessionOn(binary, { config: CONFIG, files: FILES });
      const outcomes: Outcome[] = [];
      for (const command of commands) outcomes.push(await session.nats(...command.replace(/^!/, "").replaceAll("${dir}", session.server.folder).split(" ")));
      all.push(outcomes);
    }
    const [ours, theirs = ours] = all;
    for (const [index, command] of commands.entries()) {
      const our = ours[index];
      expect(our.code, `${command}:\n${our.stdout}${our.stderr}`).toBe(command.startsWith("!") ? 1 : 0);
      expect([command, ...stable(our.stdout), ...stable(our.stderr)]).toEqual([command, ...stable(theirs[index].stdout), ...stable(theirs[index].stderr)]);
    }
    expect(ours.map(({ stdout, stderr }) => stdout + stderr).join("\n")).toMatch(text);
  });
}
