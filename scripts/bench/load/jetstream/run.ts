/** The orders of the family `jetstream`: makes the stream, fills it where there is something to read, then measures. */
import type { Figure } from "../../figures.ts";
import { cpuSeconds, residentBytes } from "../../proc.ts";
import type { JetStreamSpec, Target } from "../spec.ts";
import { measure, memoryFigure, rateFigures } from "../window.ts";
import { pull, push, requests } from "./consume.ts";
import { holds } from "./holds.ts";
import { Peer, request } from "./peer.ts";
import { latencyFigures, publishAll, publishAsync, publishSync } from "./publish.ts";

const STREAM = "BENCH";
const ALL = "bench.>";
/** What the server may still have to write or collect when the load is over. */
const SETTLE_MS = 1500;

const onOne = (): string => "bench.x";

async function makeStream(target: Target, { storage, config }: Pick<JetStreamSpec, "storage" | "config">): Promise<Peer> {
  const peer = await Peer.open(target);
  await request(peer, `$JS.API.STREAM.CREATE.${STREAM}`, { name: STREAM, subjects: [ALL], storage, retention: "limits", num_replicas: 1, max_consumers: -1, discard: "old", ...config });
  return peer;
}

export async function runJetStream(spec: JetStreamSpec, target: Target): Promise<Figure[]> {
  const admin = await makeStream(target, spec);
  const { count, payloadBytes, publishers = 1 } = spec;
  const fill = (subject: (publisher: number, number: number) => string = onOne, headers?: string): Promise<void> =>
    publishAll(target, { publishers: 1, count, payloadBytes, subject, headers });
  switch (spec.action) {
    case "publish-async":
      return publishAsync(target, { publishers, count, payloadBytes, subject: onOne });
    case "publish-sync":
      return publishSync(target, { publishers, count, payloadBytes, subject: onOne });
    case "pull":
      await fill();
      return pull(target, { stream: STREAM, batch: spec.batch ?? 1, count });
    case "push":
    case "ordered":
      await fill();
      return push(target, { stream: STREAM, count, consumers: spec.consumers ?? 1, ordered: spec.action === "ordered" });
    case "kv-put":
      return publishSync(target, { publishers: 1, count, payloadBytes, subject: (_, number) => `bench.key${number % 1000}` });
    case "kv-get":
      await publishAll(target, { publishers: 1, count: 1000, payloadBytes, subject: (_, number) => `bench.key${number}` });
      return requests(target, { count, inFlight: spec.batch ?? 1, subject: (n) => `$JS.API.DIRECT.GET.${STREAM}.bench.key${n % 1000}` });
    case "kv-watch":
      return watch(target, spec);
    case "subjects": {
      const before = residentBytes(target.serverPid);
      const window = await measure(target, () => fill((_, number) => `bench.${number}`));
      const info = await measure(target, async () => void (await request(admin, `$JS.API.STREAM.INFO.${STREAM}`, { subjects_filter: "bench.1*" })));
      await Bun.sleep(SETTLE_MS);
      return [...rateFigures(window, count, "msgs"), { name: "INFO with a filter", unit: "ms", better: "lower", value: info.seconds * 1000 }, perMillion(before, target, count)];
    }
    case "memory": {
      const before = residentBytes(target.serverPid);
      await fill();
      await Bun.sleep(SETTLE_MS);
      return [perMillion(before, target, count)];
    }
    case "purge": {
      await fill();
      const window = await measure(target, async () => void (await request(admin, `$JS.API.STREAM.PURGE.${STREAM}`, undefined)));
      return [{ name: "purge", unit: "ms", better: "lower", value: window.seconds * 1000 }];
    }
    case "delete": {
      await fill();
      const numbers = Array.from({ length: Math.min(count, 20_000) }, (_, i) => i * Math.floor(count / Math.min(count, 20_000)) + 1);
      return deleteOneByOne(admin, target, numbers);
    }
    case "object":
      return object(target, spec);
    case "assets":
      return assets(admin, target, spec);
    case "holds":
      return holds(admin, target, spec);
  }
}

function perMillion(before: number, target: Target, count: number): Figure {
  return { name: "memory per 1,000,000", unit: "MiB", better: "lower", value: ((residentBytes(target.serverPid) - before) / 2 ** 20) * (1_000_000 / count) };
}

/** Messages from their publication to a watcher, one at a time. */
async function watch(target: Target, { count, payloadBytes }: JetStreamSpec): Promise<Figure[]> {
  const watcher = await Peer.open(target);
  const writer = await Peer.open(target);
  const samples = new Float64Array(count);
  const { promise, resolve } = Promise.withResolvers<void>();
  let received = 0;
  let sentNs = 0;
  const payload = "x".repeat(payloadBytes);
  const put = (): void => {
    sentNs = Bun.nanoseconds();
    writer.send(`PUB bench.key${received % 1000} ${payloadBytes}\r\n${payload}\r\n`);
  };
  await request(watcher, `$JS.API.CONSUMER.CREATE.${STREAM}`, { stream_name: STREAM, config: { deliver_subject: "watch", deliver_policy: "last_per_subject", filter_subject: ALL, ack_policy: "none", flow_control: true, idle_heartbeat: 5e9 } });
  watcher.onMessage = ({ headerLength, buffer, replyStart, replyEnd }) => {
    if (headerLength > 0) {
      // Flow control: the server waits for the answer.
      if (replyEnd > replyStart) watcher.send(`PUB ${buffer.latin1Slice(replyStart, replyEnd)} 0\r\n\r\n`);
      return;
    }
    samples[received++] = Bun.nanoseconds() - sentNs;
    if (received === count) resolve();
    else put();
  };
  watcher.send("SUB watch 3\r\n");
  await watcher.flush();
  const window = await measure(target, async () => {
    put();
    await promise;
  });
  return [...rateFigures(window, count, "updates"), ...latencyFigures(samples)];
}

async function deleteOneByOne(peer: Peer, target: Target, numbers: readonly number[]): Promise<Figure[]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  let answered = 0;
  const next = (): void => {
    const body = `{"seq":${numbers[sent++]},"no_erase":true}`;
    peer.send(`PUB $JS.API.STREAM.MSG.DELETE.${STREAM} _INBOX.d ${body.length}\r\n${body}\r\n`);
  };
  peer.onMessage = () => {
    if (++answered === numbers.length) resolve();
    else if (sent < numbers.length) next();
  };
  peer.send("SUB _INBOX.d 4\r\n");
  await peer.flush();
  const window = await measure(target, async () => {
    for (let i = 0; i < Math.min(50, numbers.length); i++) next();
    await promise;
  });
  return rateFigures(window, numbers.length, "deletes");
}

/** An object as clients store it: chunks of 128 KiB, then the reader's ordered consumer over them. */
async function object(target: Target, { count, payloadBytes }: JetStreamSpec): Promise<Figure[]> {
  const bytes = count * payloadBytes;
  const put = await measure(target, () => publishAll(target, { publishers: 1, count, payloadBytes, subject: onOne }));
  const get = await push(target, { stream: STREAM, count, consumers: 1, ordered: true });
  const seconds = get.find(({ name }) => name === "window")?.value ?? 0;
  return [
    { name: "put", unit: "MiB/s", better: "higher", value: bytes / 2 ** 20 / put.seconds },
    { name: "get", unit: "MiB/s", better: "higher", value: bytes / 2 ** 20 / seconds },
    memoryFigure(put),
  ];
}

/** Streams with a consumer each that nobody uses. */
async function assets(peer: Peer, target: Target, { count, storage }: JetStreamSpec): Promise<Figure[]> {
  await request(peer, `$JS.API.STREAM.INFO.${STREAM}`, undefined);
  const before = residentBytes(target.serverPid);
  const streams = await measure(target, async () => {
    for (let i = 0; i < count; i++) await request(peer, `$JS.API.STREAM.CREATE.S${i}`, { name: `S${i}`, subjects: [`s.${i}`], storage, retention: "limits", num_replicas: 1, max_consumers: -1, discard: "old" });
  });
  const between = residentBytes(target.serverPid);
  const consumers = await measure(target, async () => {
    for (let i = 0; i < count; i++) await request(peer, `$JS.API.CONSUMER.CREATE.S${i}.C`, { stream_name: `S${i}`, config: { durable_name: "C", name: "C", ack_policy: "explicit" } });
  });
  const after = residentBytes(target.serverPid);
  const cpu = cpuSeconds(target.serverPid);
  await Bun.sleep(SETTLE_MS);
  return [
    { name: "stream create", unit: "1/s", better: "higher", value: count / streams.seconds },
    { name: "consumer create", unit: "1/s", better: "higher", value: count / consumers.seconds },
    { name: "memory per stream", unit: "KiB", better: "lower", value: (between - before) / 1024 / count },
    { name: "memory per consumer", unit: "KiB", better: "lower", value: (after - between) / 1024 / count },
    { name: "idle CPU", unit: "ms/s", better: "none", value: ((cpuSeconds(target.serverPid) - cpu) * 1e6) / SETTLE_MS },
  ];
}
