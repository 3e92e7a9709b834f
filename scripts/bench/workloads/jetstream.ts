/**
 * The family `jetstream`: publishing with and without waiting, reading in every way, key-value, objects, deletes, and what stored messages weigh and how
 * long they take to come back. Both servers store in a fresh folder of the same file system and get the same settings.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Figure } from "../figures.ts";
import { Connection } from "../load/connection.ts";
import type { JetStreamSpec, Target } from "../load/spec.ts";
import { RunningServer } from "../servers.ts";
import { onFreshServer, runLoad, type Setting, type Workload } from "./workload.ts";

type Spec = Omit<JetStreamSpec, "kind">;

function jetstreamConfig(folder: string, always: boolean): string {
  return `jetstream { store_dir: ${JSON.stringify(folder)}, max_mem: 8G, max_file: 20G${always ? ", sync_interval: always" : ""} }`;
}

function withFolder<T>(setting: Setting, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(setting.directory, "js-"));
  return work(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
}

function workload(name: string, about: string, spec: Spec, always = false): Workload {
  return {
    name,
    about,
    run: (setting) =>
      withFolder(setting, (folder) =>
        onFreshServer({ ...setting, config: jetstreamConfig(folder, always) }, "tcp", (target) =>
          probed(target, runLoad({ target, spec: { kind: "jetstream", ...spec, count: spec.action === "object" ? spec.count : Math.max(100, Math.ceil(spec.count * setting.scale)) } }))),
      ),
  };
}

/** How clients make a bucket. */
const KV: Readonly<Record<string, unknown>> = { max_msgs_per_subject: 1, allow_direct: true, allow_rollup_hdrs: true, deny_delete: true };

/** The figures of the load, and how long a client that uses no JetStream waited for its PONGs meanwhile. */
async function probed(target: Target, load: Promise<readonly Figure[]>): Promise<readonly Figure[]> {
  const probe = Bun.spawn([process.execPath, join(import.meta.dir, "..", "load", "probe.ts"), target.host, String(target.port)], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  try {
    const figures = await load;
    await probe.stdin.end();
    const { p99Ms, maxMs } = (await new Response(probe.stdout).json()) as { readonly p99Ms: number; readonly maxMs: number };
    return [...figures, { name: "core ping p99", unit: "ms", better: "lower", value: p99Ms }, { name: "core ping max", unit: "ms", better: "none", value: maxMs }];
  } finally {
    probe.kill();
  }
}

const RECOVERED = 5_000_000;

/** Fills a stream, ends the server (kindly, or with SIGKILL), and times the next start up to the first PONG. */
function recovery(name: string, about: string, killed: boolean): Workload {
  return {
    name,
    about,
    run: (setting) =>
      withFolder(setting, async (folder) => {
        const config = jetstreamConfig(folder, false);
        const first = await RunningServer.spawn(setting.binary, setting.directory, "tcp", setting.tls, config);
        try {
          const spec: JetStreamSpec = { kind: "jetstream", action: "publish-async", storage: "file", count: Math.ceil(RECOVERED * setting.scale), payloadBytes: 128, publishers: 1 };
          await runLoad({ target: await first.ready(), spec });
        } finally {
          await (killed ? first.kill() : first.stop());
        }
        const second = await RunningServer.spawn(setting.binary, setting.directory, "tcp", setting.tls, config);
        try {
          const connection = await Connection.open(await second.clients());
          const ms = (Bun.nanoseconds() - second.spawnedNs) / 1e6;
          connection.close();
          return [{ name: "first PONG", unit: "ms", better: "lower", value: ms }] satisfies Figure[];
        } finally {
          await second.stop();
        }
      }),
  };
}

const publishers = [1, 4, 16];
const storages = [["file", "file"], ["memory", "mem"]] as const;

/** All workloads in the order in which they run. */
export function jetstreamWorkloads(): readonly Workload[] {
  const each = <T>(make: (storage: "file" | "memory", short: string) => T): T[] => storages.map(([storage, short]) => make(storage, short));
  return [
    ...each((storage, short) => workload(`sync-${short}-1`, `1 publisher waits for every ack, 128 B, ${storage}`, { action: "publish-sync", storage, count: 20_000, payloadBytes: 128 })),
    ...each((storage, short) => workload(`sync-${short}-16`, `16 publishers wait for every ack, 128 B, ${storage}`, { action: "publish-sync", storage, count: 100_000, payloadBytes: 128, publishers: 16 })),
    ...each((storage, short) => publishers.map((count) => workload(`async-${short}-${count}-128`, `${count} publishers, acks in a window, 128 B, ${storage}`, { action: "publish-async", storage, count: 600_000, payloadBytes: 128, publishers: count }))).flat(),
    ...each((storage, short) => publishers.map((count) => workload(`async-${short}-${count}-1k`, `${count} publishers, acks in a window, 1 KiB, ${storage}`, { action: "publish-async", storage, count: 300_000, payloadBytes: 1024, publishers: count }))).flat(),
    workload("always-sync-1", "1 publisher waits for every ack, 128 B, sync_interval: always", { action: "publish-sync", storage: "file", count: 10_000, payloadBytes: 128 }, true),
    workload("always-sync-16", "16 publishers wait for every ack, 128 B, sync_interval: always", { action: "publish-sync", storage: "file", count: 40_000, payloadBytes: 128, publishers: 16 }, true),
    ...publishers.map((count) => workload(`always-async-${count}`, `${count} publishers, acks in a window, 128 B, sync_interval: always`, { action: "publish-async", storage: "file", count: 60_000, payloadBytes: 128, publishers: count }, true)),
    ...each((storage, short) => workload(`pull-100-${short}`, `pull in batches of 100 with acks, 128 B, ${storage}`, { action: "pull", storage, count: 400_000, payloadBytes: 128, batch: 100 })),
    ...each((storage, short) => workload(`pull-1-${short}`, `pull one at a time with acks, 128 B, ${storage}`, { action: "pull", storage, count: 20_000, payloadBytes: 128, batch: 1 })),
    ...each((storage, short) => workload(`push-${short}`, `push with acks, 128 B, ${storage}`, { action: "push", storage, count: 400_000, payloadBytes: 128 })),
    ...each((storage, short) => workload(`ordered-${short}`, `ordered push consumer, 128 B, ${storage}`, { action: "ordered", storage, count: 800_000, payloadBytes: 128 })),
    workload("push-10", "10 push consumers on one stream, 128 B, file", { action: "push", storage: "file", count: 50_000, payloadBytes: 128, consumers: 10 }),
    workload("kv-put", "put, one after the other, 1,000 keys, 128 B", { action: "kv-put", storage: "file", count: 20_000, payloadBytes: 128, config: KV }),
    workload("kv-get", "get, one after the other, 128 B", { action: "kv-get", storage: "file", count: 20_000, payloadBytes: 128, config: KV }),
    workload("kv-get-100", "get, 100 under way, 128 B", { action: "kv-get", storage: "file", count: 200_000, payloadBytes: 128, batch: 100, config: KV }),
    workload("kv-watch", "from put to watcher, one after the other, 128 B", { action: "kv-watch", storage: "file", count: 20_000, payloadBytes: 128, config: KV }),
    workload("object-64m", "an object of 64 MiB in chunks of 128 KiB, put and get", { action: "object", storage: "file", count: 512, payloadBytes: 131_072 }),
    workload("purge", "purge of 1,000,000 messages", { action: "purge", storage: "file", count: 1_000_000, payloadBytes: 128 }),
    workload("delete", "20,000 messages deleted one by one, 50 under way", { action: "delete", storage: "file", count: 1_000_000, payloadBytes: 128 }),
    workload("subjects-1m", "1,000,000 subjects", { action: "subjects", storage: "file", count: 1_000_000, payloadBytes: 128 }),
    ...each((storage, short) => workload(`rss-1m-${short}`, `1,000,000 messages, 128 B, ${storage}`, { action: "memory", storage, count: 1_000_000, payloadBytes: 128 })),
    workload("assets", "1,000 streams with a consumer each", { action: "assets", storage: "file", count: 1000, payloadBytes: 0 }),
    ...each((storage, short) => workload(`holds-${short}`, `longest ping beside requests about 1,000,000 subjects, ${storage}`, { action: "holds", storage, count: 1_000_000, payloadBytes: 16 })),
    recovery("recovery", "start with 5,000,000 messages after a shutdown", false),
    recovery("recovery-kill", "start with 5,000,000 messages after SIGKILL", true),
  ];
}
