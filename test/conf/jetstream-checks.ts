/** What the samples of `conf/jetstream` promise. */
import { expect } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Check } from "./checks.ts";
import type { Client } from "./client.ts";

interface Answer {
  readonly error?: { readonly err_code: number };
  readonly config?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly stream?: string;
  readonly domain?: string;
  readonly seq?: number;
}

let requests = 0;

/** Publishes with a reply subject and reads the one answer. */
async function request(client: Client, subject: string, body: unknown = ""): Promise<Answer> {
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  const inbox = `_INBOX.${++requests}`;
  client.send(`SUB ${inbox} ${requests}\r\nPUB ${subject} ${inbox} ${payload.length}\r\n${payload}\r\n`);
  const head = await client.line();
  expect(head).toStartWith(`MSG ${inbox} `);
  return JSON.parse(await client.line()) as Answer;
}

const create = (client: Client, name: string, config: Readonly<Record<string, unknown>> = {}): Promise<Answer> =>
  request(client, `$JS.API.STREAM.CREATE.${name}`, { name, subjects: [`${name}.>`], ...config });

/** Every file below a folder. */
function filesOf(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesOf(path) : [path];
  });
}

export const jetstreamChecks: Readonly<Record<string, Check>> = {
  "jetstream/basic.conf": async (running) => {
    const client = await running.client();
    expect((await create(client, "ORDERS")).config).toMatchObject({ name: "ORDERS", storage: "file" });
    expect(await request(client, "ORDERS.new", "hello")).toEqual({ stream: "ORDERS", seq: 1 });
    expect(readdirSync(join(running.folder, "data/basic/jetstream/$G/streams"))).toEqual(["ORDERS"]);
  },
  "jetstream/accounts.conf": async (running) => {
    const orders = await running.client({ user: "orders", pass: "ship" });
    expect((await create(orders, "A", { storage: "memory" })).error).toBeUndefined();
    const guest = await running.client({ user: "guest", pass: "welcome" });
    expect((await request(guest, "$JS.API.INFO")).limits).toMatchObject({ max_memory: 0, max_streams: 2, max_consumers: 5, max_bytes_required: true });
    expect((await create(guest, "A")).error?.err_code).toBe(10113);
    expect((await create(guest, "A", { max_bytes: 2_000_000 })).error?.err_code).toBe(10047);
    expect((await create(guest, "A", { max_bytes: 400_000 })).error).toBeUndefined();
    expect((await create(guest, "B", { max_bytes: 400_000 })).error).toBeUndefined();
    expect((await create(guest, "C", { max_bytes: 1000 })).error?.err_code).toBe(10027);
    const plain = await running.client({ user: "plain", pass: "simple" });
    expect((await request(plain, "$JS.API.INFO")).error?.err_code).toBe(10039);
  },
  "jetstream/domain.conf": async (running) => {
    const client = await running.client();
    expect((await request(client, "$JS.hub.API.INFO")).domain).toBe("hub");
    expect((await request(client, "$JS.hub.API.STREAM.CREATE.S", { name: "S", subjects: ["s"] })).config).toMatchObject({ name: "S" });
    expect(await request(client, "s", "x")).toEqual({ stream: "S", domain: "hub", seq: 1 });
  },
  "jetstream/durable.conf": async (running) => {
    const client = await running.client();
    await create(client, "S");
    expect(await request(client, "S.x", "x")).toEqual({ stream: "S", seq: 1 });
  },
  "jetstream/encryption.conf": async (running) => {
    const client = await running.client();
    await create(client, "SECRETS", { metadata: { word: "xyzzyplugh" } });
    expect((await request(client, "SECRETS.x", "the plover's egg")).seq).toBe(1);
    const files = filesOf(join(running.folder, "data/encryption"));
    expect(files.length).toBeGreaterThan(1);
    for (const path of files) expect(readFileSync(path).includes("xyzzyplugh") || readFileSync(path).includes("plover"), path).toBe(false);
  },
  "jetstream/limits.conf": async (running) => {
    const client = await running.client();
    expect((await create(client, "S")).config).toMatchObject({ duplicate_window: 60e9 });
    expect((await create(client, "T", { zz: 1 })).error?.err_code).toBe(10025);
    const consumer = (config: Readonly<Record<string, unknown>>): Promise<Answer> =>
      request(client, "$JS.API.CONSUMER.CREATE.S.C", { stream_name: "S", config: { durable_name: "C", ack_policy: "explicit", ...config } });
    expect((await consumer({ max_ack_pending: 101 })).error?.err_code).toBe(10121);
    expect((await consumer({ max_batch: 51 })).error?.err_code).toBe(10125);
    expect((await consumer({})).config).toMatchObject({ max_ack_pending: 100, max_batch: 50 });
  },
};
