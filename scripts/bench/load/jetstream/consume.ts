/** Reading a stream: by pull, push, as an ordered consumer, by direct get. */
import type { Figure } from "../../figures.ts";
import { fail } from "../failure.ts";
import type { Target } from "../spec.ts";
import { measure, memoryFigure, rateFigures } from "../window.ts";
import { Peer, request } from "./peer.ts";
import { latencyFigures } from "./publish.ts";

/** Acknowledges `arrival` in `out`, a growing text that the caller sends after the read. */
function reply(buffer: Buffer, start: number, end: number): string {
  return `PUB ${buffer.latin1Slice(start, end)} 0\r\n\r\n`;
}

export async function pull(target: Target, { stream, batch, count }: { readonly stream: string; readonly batch: number; readonly count: number }): Promise<Figure[]> {
  const peer = await Peer.open(target);
  const consumer = `pull${batch}`;
  await request(peer, `$JS.API.CONSUMER.CREATE.${stream}.${consumer}`, { stream_name: stream, config: { durable_name: consumer, name: consumer, ack_policy: "explicit", max_ack_pending: -1 } });
  const ask = `PUB $JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer} _INBOX.p 26\r\n${JSON.stringify({ batch, expires: 0 }).padEnd(26)}\r\n`;
  const window = await measure(target, async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let received = 0;
    let inBatch = 0;
    let out = "";
    peer.onMessage = ({ buffer, replyStart, replyEnd, headerLength }) => {
      if (headerLength > 0) return;
      out += reply(buffer, replyStart, replyEnd);
      received++;
      if (++inBatch === batch && received < count) {
        inBatch = 0;
        out += ask;
      }
      if (received === count) resolve();
    };
    peer.onRead = () => {
      if (out === "") return;
      peer.send(out);
      out = "";
    };
    peer.send(`SUB _INBOX.p 7\r\n${ask}`);
    await promise;
    await peer.flush();
  });
  const info = await request<{ readonly num_ack_pending: number }>(peer, `$JS.API.CONSUMER.INFO.${stream}.${consumer}`, undefined);
  if (info.num_ack_pending > 0) fail(`${info.num_ack_pending} acknowledgements are missing`);
  peer.close();
  return [...rateFigures(window, count, "msgs"), memoryFigure(window)];
}

/** `ordered`: no acknowledgements, flow control and heartbeats, as clients make it; otherwise explicit acknowledgements. */
export async function push(target: Target, { stream, count, consumers, ordered }: { readonly stream: string; readonly count: number; readonly consumers: number; readonly ordered: boolean }): Promise<Figure[]> {
  const peers = await Promise.all(Array.from({ length: consumers }, () => Peer.open(target)));
  const window = await measure(target, async () => {
    await Promise.all(
      peers.map(async (peer, index) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const deliver = `deliver.${index}`;
        const config = ordered
          ? { deliver_subject: deliver, ack_policy: "none", max_deliver: 1, ack_wait: 22 * 3600e9, flow_control: true, idle_heartbeat: 5e9, mem_storage: true, num_replicas: 1 }
          : { durable_name: `push${index}`, deliver_subject: deliver, ack_policy: "explicit", max_ack_pending: 10_000 };
        const name = ordered ? `ordered${index}` : `push${index}`;
        peer.send(`SUB ${deliver} 7\r\n`);
        let received = 0;
        let out = "";
        const onMessage: Peer["onMessage"] = ({ buffer, replyStart, replyEnd, headerLength, sid }) => {
          if (sid !== 7) return;
          if (headerLength > 0) {
            // Flow control asks for an answer; a heartbeat does not.
            if (replyEnd > replyStart) out += reply(buffer, replyStart, replyEnd);
            return;
          }
          if (!ordered) out += reply(buffer, replyStart, replyEnd);
          if (++received === count) resolve();
        };
        peer.onMessage = onMessage;
        peer.onRead = () => {
          if (out === "") return;
          peer.send(out);
          out = "";
        };
        const body = JSON.stringify({ stream_name: stream, config: { ...config, name } });
        peer.send(`PUB $JS.API.CONSUMER.CREATE.${stream}.${name} ${body.length}\r\n${body}\r\n`);
        await promise;
        await peer.flush();
      }),
    );
  });
  for (const peer of peers) peer.close();
  return [...rateFigures(window, count * consumers, "msgs"), memoryFigure(window)];
}

/** Requests one after the other, `inFlight` of them under way; `subject(n)` is where request n goes. */
export async function requests(target: Target, { count, inFlight, subject, body = "" }: { readonly count: number; readonly inFlight: number; readonly subject: (n: number) => string; readonly body?: string }): Promise<Figure[]> {
  const peer = await Peer.open(target);
  const samples = new Float64Array(count);
  const sentNs = new Float64Array(count);
  let sent = 0;
  let answered = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  let out = "";
  const next = (): void => {
    sentNs[sent] = Bun.nanoseconds();
    out += `PUB ${subject(sent)} _INBOX.r.${sent} ${body.length}\r\n${body}\r\n`;
    sent++;
  };
  peer.onMessage = () => {
    // Answers come in the order of the requests.
    samples[answered] = Bun.nanoseconds() - sentNs[answered];
    if (++answered === count) resolve();
    else if (sent < count) next();
  };
  peer.onRead = () => {
    if (out === "") return;
    peer.send(out);
    out = "";
  };
  peer.send("SUB _INBOX.r.* 1\r\n");
  await peer.flush();
  const window = await measure(target, async () => {
    while (sent < Math.min(inFlight, count)) next();
    peer.onRead();
    await promise;
  });
  peer.close();
  return [...rateFigures(window, count, "requests"), ...latencyFigures(samples)];
}
