/**
 * A client with nothing to do but ask how long the server takes: PING every few milliseconds, until its standard input ends; then it prints the round trips as
 * JSON. It is a process of its own, so that neither the load nor its garbage collection is measured. Source of "core ping" in the family `jetstream`.
 *
 * With `spans` as a third argument each byte of its input asks for the longest round trip since the last one, in milliseconds on a line.
 */
import { percentile } from "../figures.ts";

const PACE_MS = 2;
const [host, port] = [process.argv[2], Number(process.argv[3])];
const tellsSpans = process.argv[4] === "spans";

let samples: number[] = [];
let sentNs = 0;
const socket = await Bun.connect({
  hostname: host,
  port,
  socket: {
    data: (_socket, chunk) => {
      if (chunk.indexOf("PING\r\n") >= 0) socket.write("PONG\r\n");
      if (sentNs === 0 || chunk.indexOf("PONG\r\n") < 0) return;
      samples.push(Bun.nanoseconds() - sentNs);
      sentNs = 0;
    },
  },
});
socket.write('CONNECT {"verbose":false}\r\n');
const pace = setInterval(() => {
  // One at a time: a server that does not answer is measured until it does.
  if (sentNs !== 0) return;
  sentNs = Bun.nanoseconds();
  socket.write("PING\r\n");
}, PACE_MS);
for await (const _ of Bun.stdin.stream()) {
  if (!tellsSpans) continue;
  const longestNs = Math.max(0, ...samples, sentNs === 0 ? 0 : Bun.nanoseconds() - sentNs);
  samples = [];
  await Bun.write(Bun.stdout, `${longestNs / 1e6}\n`);
}
clearInterval(pace);
if (sentNs !== 0) samples.push(Bun.nanoseconds() - sentNs);
const sorted = new Float64Array(samples).sort();
await Bun.write(Bun.stdout, JSON.stringify(sorted.length === 0 ? { p99Ms: 0, maxMs: 0 } : { p99Ms: percentile(sorted, 0.99) / 1e6, maxMs: sorted[sorted.length - 1] / 1e6 }));
process.exit(0);
