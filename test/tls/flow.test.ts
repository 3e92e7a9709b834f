/** Bytes over TLS when the peer is slow: the engine takes less than it is offered, again and again, and every byte must still arrive once and in order. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { RawSocket } from "../support/raw-socket.ts";
import { ServerProcess } from "../support/server-process.ts";
import { BINARY, HELLO, tlsBlock, TlsPeer } from "./peer.ts";

setDefaultTimeout(60_000);

const SIZE = 700_000;
const COUNT = 60;

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a client over ${version} that stops reading again and again gets everything once`, async () => {
    const running = await ServerProcess.start({ binary: BINARY, config: tlsBlock() });
    const port = running.ports.nats?.port ?? 0;
    const open = async (): Promise<TlsPeer> => (await TlsPeer.open(port, { tls: { maxVersion: version } })).login();
    const consumer = await open();
    consumer.socket.write("SUB big 1\r\nPING\r\n");
    expect(await consumer.received.readLine(3000)).toBe("PONG");
    consumer.socket.removeAllListeners("data");

    const message = Buffer.concat([Buffer.from(`PUB big ${SIZE}\r\n`), Buffer.from(randomBytes(SIZE / 2).toString("hex")), Buffer.from("\r\n")]);
    const delivered = Buffer.concat([Buffer.from(`MSG big 1 ${SIZE}\r\n`), message.subarray(message.indexOf(10) + 1)]);
    const expected = createHash("sha256");
    for (let i = 0; i < COUNT; i++) expected.update(delivered);

    const received = createHash("sha256");
    let bytes = 0;
    let pauses = 0;
    const all = Promise.withResolvers<void>();
    consumer.socket.on("data", (chunk: Buffer) => {
      received.update(chunk);
      bytes += chunk.length;
      if (bytes >= COUNT * delivered.length) return all.resolve();
      if (bytes < (pauses + 1) * 3_000_000) return;
      pauses++;
      consumer.socket.pause();
      setTimeout(() => consumer.socket.resume(), 20);
    });

    const publisher = await open();
    for (let i = 0; i < COUNT; i++) if (!publisher.socket.write(message)) await once(publisher.socket, "drain");
    publisher.socket.write("PING\r\n");
    await all.promise;
    expect(bytes).toBe(COUNT * delivered.length);
    expect(received.digest("hex")).toBe(expected.digest("hex"));
    expect(pauses).toBeGreaterThan(5);
    publisher.close();
    consumer.close();
    await running.stop();
  });
}

test("a client over TLS that never reads is cut as a slow consumer, and the server goes on", async () => {
  const running = await ServerProcess.start({ binary: BINARY, config: `max_payload: 100000\nmax_pending: 200000\n${tlsBlock()}` });
  const port = running.ports.nats?.port ?? 0;
  const consumer = await (await TlsPeer.open(port)).login();
  consumer.socket.write("SUB big 1\r\nPING\r\n");
  expect(await consumer.received.readLine(3000)).toBe("PONG");
  consumer.socket.pause();
  const publisher = await (await TlsPeer.open(port)).login();
  const message = Buffer.concat([Buffer.from("PUB big 100000\r\n"), Buffer.alloc(100_000, 97), Buffer.from("\r\n")]);
  for (let i = 0; i < 300; i++) publisher.socket.write(message);
  await running.waitForLog((line) => line.includes("Slow Consumer Detected: MaxPending of 200000 Exceeded"), 0, 10_000);
  publisher.socket.write(HELLO);
  expect(await publisher.received.readLine(10_000)).toBe("PONG");
  publisher.close();
  consumer.close();
  await running.stop();
});

test("the server stops at once with handshakes and silent readers under way", async () => {
  const running = await ServerProcess.start({ binary: BINARY, config: tlsBlock() });
  const port = running.ports.nats?.port ?? 0;
  const silent = await (await TlsPeer.open(port)).login();
  silent.socket.pause();
  const half = await RawSocket.open("127.0.0.1", port);
  await half.received.readLine(2000);
  half.send(Buffer.from([0x16, 3, 1, 1, 0, 1]));
  const startMs = performance.now();
  running.signal("SIGTERM");
  expect([0, 1]).toContain(await running.exited(3000));
  expect(performance.now() - startMs).toBeLessThan(1500);
  await half.received.readEnd(1000);
  silent.close();
  await running.stop();
});
