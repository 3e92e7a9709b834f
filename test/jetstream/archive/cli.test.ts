/**
 * Backups by the `nats` CLI (NATS_CLI), from and to our own executable and, where NATS_REFERENCE_SERVER names a binary, from and to the reference: what comes back is
 * what there was. REQUIRE_REFERENCE=1 makes a missing CLI or reference an error.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../support/temporary.ts";
import { binaries, hasCli, requireCli, type Session, sessionOn } from "../../clients/cli-session.ts";

setDefaultTimeout(60_000);
requireCli();

const config = 'jetstream { store_dir: "${dir}/js" }';
const names = ["ours", "the reference"];

async function run(session: Session, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await session.nats(...args);
  if (code !== 0) throw new Error(`nats ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

interface Figures {
  readonly config: { readonly storage: string; readonly subjects: readonly string[] };
  readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number; readonly num_deleted?: number; readonly first_ts: string };
}

const infoOf = async (session: Session, stream: string): Promise<Figures> => JSON.parse(await run(session, "stream", "info", stream, "--json")) as Figures;

async function contents(session: Session, stream: string): Promise<string[]> {
  const { first_seq, last_seq } = (await infoOf(session, stream)).state;
  const found: string[] = [];
  for (let seq = first_seq; seq <= last_seq; seq += 3) {
    const { code, stdout } = await session.nats("stream", "get", stream, String(seq), "--json");
    found.push(code === 0 ? stdout : "none");
  }
  return found;
}

if (hasCli) {
  for (const [from, source] of binaries.entries()) {
    for (const [to, target] of binaries.entries()) {
      for (const storage of ["file", "memory"]) {
        test(`a ${storage} stream of ${names[from]} comes back on ${names[to]}`, async () => {
          const here = await sessionOn(source, { config });
          const there = await sessionOn(target, { config });
          const folder = temporaryFolder("backup");
          await run(here, "stream", "add", "S", "--subjects", "s.*", "--storage", storage, "--defaults");
          await run(here, "pub", "s.1", "message {{Count}} of many, of many, of many, of many, of many", "--count", "30", "--jetstream");
          await run(here, "pub", "s.2", "{{Random 2000 2000}}", "--count", "3", "--header", "Mine:yes", "--jetstream");
          await run(here, "stream", "rmm", "S", "4", "-f");
          await run(here, "stream", "rmm", "S", "33", "-f");
          await run(here, "consumer", "add", "S", "C", "--pull", "--ack", "explicit", "--defaults");
          await run(here, "consumer", "next", "S", "C", "--count", "3", "--ack");
          await run(here, "stream", "backup", "S", folder, "--no-progress");
          await run(there, "stream", "restore", folder, "--no-progress");
          const before = await infoOf(here, "S");
          const after = await infoOf(there, "S");
          const { bytes: _, ...stateBefore } = before.state as Figures["state"] & { readonly bytes: number };
          // What follows the last stored message is gone, and its time with it.
          const { last_ts: _last, ...kept } = stateBefore as typeof stateBefore & { readonly last_ts: string };
          expect(after.state).toMatchObject(kept);
          expect(after.config).toMatchObject({ storage, subjects: ["s.*"] });
          expect(await contents(there, "S")).toEqual(await contents(here, "S"));
          const consumer = JSON.parse(await run(there, "consumer", "info", "S", "C", "--json")) as unknown;
          expect(consumer).toMatchObject({ delivered: { consumer_seq: 3, stream_seq: 3 }, ack_floor: { consumer_seq: 3, stream_seq: 3 }, num_pending: 28 });
          await run(there, "pub", "s.3", "next", "--jetstream");
          expect((await infoOf(there, "S")).state.last_seq).toBe(34);
        });
      }
    }
  }

  test("a backup of version 1 comes back", async () => {
    const session = await sessionOn(binaries[0], { config });
    const folder = temporaryFolder("backup");
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(import.meta.dir, "version1.tar.s2"), join(folder, "stream.tar.s2"));
    const backup = {
      config: { name: "ORDERS", subjects: ["orders.>"], retention: "limits", max_consumers: -1, max_msgs: -1, max_bytes: -1, max_age: 0, storage: "file", discard: "old", num_replicas: 1, compression: "s2" },
      state: { messages: 36, bytes: 4865, first_seq: 2, last_seq: 40, consumer_count: 1 },
    };
    writeFileSync(join(folder, "backup.json"), JSON.stringify(backup));
    await run(session, "stream", "restore", folder, "--no-progress");
    expect((await infoOf(session, "ORDERS")).state).toMatchObject({ messages: 36, first_seq: 2, last_seq: 40, num_deleted: 3 });
    expect(JSON.parse(await run(session, "consumer", "info", "ORDERS", "worker", "--json")) as unknown).toMatchObject({ delivered: { stream_seq: 13 }, ack_floor: { stream_seq: 3 }, num_ack_pending: 7 });
  });

  test("a backup larger than the window of chunks under way comes back", async () => {
    const session = await sessionOn(binaries[0], { config });
    const folder = temporaryFolder("backup");
    await run(session, "stream", "add", "S", "--subjects", "s", "--storage", "file", "--defaults");
    await run(session, "pub", "s", "{{Random 100000 100000}}", "--count", "200", "--jetstream");
    await run(session, "stream", "backup", "S", folder, "--no-progress", "--chunk-size", "64KB");
    expect(readdirSync(folder)).toContain("backup.json");
    await run(session, "stream", "rm", "S", "-f");
    await run(session, "stream", "restore", folder, "--no-progress");
    expect((await infoOf(session, "S")).state).toMatchObject({ messages: 200, first_seq: 1, last_seq: 200 });
  });
}
