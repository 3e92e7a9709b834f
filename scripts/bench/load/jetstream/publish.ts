/** Publishing to a stream: with each publisher waiting for every acknowledgement, or with a window of them under way. */
import type { Figure } from "../../figures.ts";
import { percentile } from "../../figures.ts";
import { fail } from "../failure.ts";
import type { Target } from "../spec.ts";
import { measure, memoryFigure, rateFigures } from "../window.ts";
import { type Arrival, Peer } from "./peer.ts";

/** Acknowledgements under way per publisher when it does not wait for each. */
const WINDOW = 2048;
/** Messages of one write. */
const CHUNK = 256;
const INBOX = "_INBOX.0123456789abcdefghijkl";

/** Subject of message `number`; all of one run have the same length, so that buffers can be made beforehand. */
export type SubjectOf = (publisher: number, number: number) => string;

function isAcknowledged({ buffer, bodyStart }: Arrival): boolean {
  // {"stream":... or {"error":...
  return buffer[bodyStart + 2] === 115;
}

function refused({ buffer, bodyStart, bodyEnd }: Arrival): void {
  fail(`refused: ${buffer.toString("utf8", bodyStart, bodyEnd)}`);
}

/** Publishes `count` messages over all publishers, each with a reply subject of its own, and waits for all acknowledgements. */
export async function publishAll(target: Target, options: { readonly publishers: number; readonly count: number; readonly payloadBytes: number; readonly subject: SubjectOf; readonly headers?: string }): Promise<void> {
  const each = Math.ceil(options.count / options.publishers);
  await Promise.all(Array.from({ length: options.publishers }, (_, publisher) => publishWindowed(target, publisher, each, options)));
}

async function publishWindowed(target: Target, publisher: number, count: number, { payloadBytes, subject, headers = "" }: Parameters<typeof publishAll>[1]): Promise<void> {
  const peer = await Peer.open(target);
  const payload = "x".repeat(payloadBytes);
  const { promise, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  let acknowledged = 0;
  const sizes = headers === "" ? `${payloadBytes}` : `${headers.length} ${headers.length + payloadBytes}`;
  const verb = headers === "" ? "PUB" : "HPUB";
  const sendChunk = (): void => {
    const until = Math.min(count, sent + CHUNK);
    let text = "";
    for (; sent < until; sent++) text += `${verb} ${subject(publisher, sent)} ${INBOX}${publisher}.${sent} ${sizes}\r\n${headers}${payload}\r\n`;
    peer.send(text);
  };
  const go = (): void => {
    while (sent < count && sent - acknowledged <= WINDOW - CHUNK) sendChunk();
  };
  peer.onMessage = (arrival) => {
    if (!isAcknowledged(arrival)) return refused(arrival);
    if (++acknowledged === count) resolve();
  };
  peer.onRead = go;
  peer.send(`SUB ${INBOX}${publisher}.* 1\r\n`);
  go();
  await promise;
  peer.close();
}

export async function publishAsync(target: Target, options: Parameters<typeof publishAll>[1]): Promise<Figure[]> {
  const window = await measure(target, () => publishAll(target, options));
  return [...rateFigures(window, options.count, "msgs"), memoryFigure(window)];
}

/** Each publisher waits for the acknowledgement before it sends the next; every wait is a sample. */
export async function publishSync(target: Target, { publishers, count, payloadBytes, subject }: Parameters<typeof publishAll>[1]): Promise<Figure[]> {
  const each = Math.ceil(count / publishers);
  const samples = new Float64Array(each * publishers);
  let taken = 0;
  const payload = "x".repeat(payloadBytes);
  const run = async (publisher: number): Promise<void> => {
    const peer = await Peer.open(target);
    const { promise, resolve } = Promise.withResolvers<void>();
    let sent = 0;
    let sentNs = 0;
    const next = (): void => {
      sentNs = Bun.nanoseconds();
      peer.send(`PUB ${subject(publisher, sent)} ${INBOX}${publisher}.${sent} ${payloadBytes}\r\n${payload}\r\n`);
      sent++;
    };
    peer.onMessage = (arrival) => {
      if (!isAcknowledged(arrival)) return refused(arrival);
      samples[taken++] = Bun.nanoseconds() - sentNs;
      if (sent < each) next();
      else resolve();
    };
    peer.send(`SUB ${INBOX}${publisher}.* 1\r\n`);
    await peer.flush();
    next();
    await promise;
    peer.close();
  };
  const window = await measure(target, () => Promise.all(Array.from({ length: publishers }, (_, publisher) => run(publisher))).then(() => undefined));
  return [...rateFigures(window, samples.length, "msgs"), ...latencyFigures(samples)];
}

export function latencyFigures(samples: Float64Array): Figure[] {
  const sorted = samples.sort();
  return [
    { name: "p50", unit: "µs", better: "lower", value: percentile(sorted, 0.5) / 1000 },
    { name: "p99", unit: "µs", better: "lower", value: percentile(sorted, 0.99) / 1000 },
    { name: "max", unit: "µs", better: "none", value: sorted[sorted.length - 1] / 1000 },
  ];
}
