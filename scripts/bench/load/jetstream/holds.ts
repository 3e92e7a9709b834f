/**
 * How long the server leaves others waiting while it does one large thing: requests about a stream of many subjects, one after the other, and beside each the longest
 * wait of a client that does nothing but ping (`probe.ts`).
 */
import { join } from "node:path";
import type { Figure } from "../../figures.ts";
import type { JetStreamSpec, Target } from "../spec.ts";
import { type Peer, request } from "./peer.ts";
import { publishAll } from "./publish.ts";

/** Pauses around a request, so that its neighbours are not measured with it: what it leaves to be done beside is. */
const BEFORE_MS = 300;
const AFTER_MS = 200;

interface Step {
  readonly name: string;
  readonly api: string;
  readonly body: unknown;
}

/** What is asked of the stream BENCH, whose subjects are `bench.k<0..999>.<number>`. */
function steps(storage: string, count: number): Step[] {
  const consumer = (name: string, config: Readonly<Record<string, unknown>>): Step => ({
    name: `consumer, ${name}`,
    api: `CONSUMER.CREATE.BENCH.${name.replaceAll(" ", "-")}`,
    body: { stream_name: "BENCH", config: { name: name.replaceAll(" ", "-"), durable_name: name.replaceAll(" ", "-"), ack_policy: "explicit", ...config } },
  });
  const update = (name: string, limits: Readonly<Record<string, unknown>>): Step => ({
    name: `limit, ${name}`,
    api: "STREAM.UPDATE.BENCH",
    body: { name: "BENCH", subjects: ["bench.>"], storage, retention: "limits", num_replicas: 1, discard: "old", ...limits },
  });
  const purge = (name: string, body: unknown): Step => ({ name: `purge, ${name}`, api: "STREAM.PURGE.BENCH", body });
  return [
    { name: "info, all subjects", api: "STREAM.INFO.BENCH", body: { subjects_filter: ">" } },
    { name: "info, the last subjects", api: "STREAM.INFO.BENCH", body: { subjects_filter: "bench.*.*", offset: Math.floor(count * 0.9) } },
    consumer("everything", {}),
    consumer("one subject in a thousand", { filter_subject: "bench.k5.*" }),
    consumer("filters that overlap", { filter_subjects: ["bench.*.5", "bench.k7.*", "bench.k9.>"] }),
    consumer("from the middle", { filter_subjects: ["bench.k5.*", "bench.k6.*"], deliver_policy: "by_start_sequence", opt_start_seq: Math.ceil(count / 2) }),
    consumer("last per subject", { filter_subject: "bench.>", deliver_policy: "last_per_subject" }),
    purge("one subject in a thousand", { filter: "bench.k5.>" }),
    purge("one message", { filter: "bench.*.77" }),
    purge("keep a few", { filter: "bench.k6.*", keep: 10 }),
    purge("keep most", { filter: "bench.*.*", keep: Math.ceil(count * 0.9) }),
    { name: "info, gaps", api: "STREAM.INFO.BENCH", body: { deleted_details: true } },
    update("per subject", { max_msgs_per_subject: 1 }),
    update("messages", { max_msgs_per_subject: 1, max_msgs: Math.ceil(count / 2) }),
    purge("up to a sequence", { seq: Math.ceil(count * 0.8) }),
    purge("everything", {}),
    { name: "delete the stream", api: "STREAM.DELETE.BENCH", body: undefined },
  ];
}

export async function holds(admin: Peer, target: Target, { storage, count, payloadBytes }: JetStreamSpec): Promise<Figure[]> {
  await publishAll(target, { publishers: 1, count, payloadBytes, subject: (_, number) => `bench.k${number % 1000}.${number}` });
  const probe = Bun.spawn([process.execPath, join(import.meta.dir, "..", "probe.ts"), target.host, String(target.port), "spans"], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const lines = linesOf(probe.stdout);
  /** The longest wait since the last question. */
  const longestMs = async (): Promise<number> => {
    await probe.stdin.write("?");
    await probe.stdin.flush();
    return Number((await lines.next()).value);
  };
  try {
    const figures: Figure[] = [];
    for (const { name, api, body } of steps(storage, count)) {
      await Bun.sleep(BEFORE_MS);
      await longestMs();
      await request(admin, `$JS.API.${api}`, body);
      await Bun.sleep(AFTER_MS);
      figures.push({ name, unit: "ms", better: "none", value: await longestMs() });
    }
    return figures;
  } finally {
    probe.kill();
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
