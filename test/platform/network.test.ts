/** The network on the machine's sockets: both address families, ports in use, and what a handler's defect costs. */
import { expect, test } from "bun:test";
import { BunNetwork } from "../../src/platform/bun/network.ts";
import { ListenError, type Stream } from "../../src/platform/index.ts";

const ignore = (): void => undefined;

test("the IPv4 wildcard takes clients of both families, shown with their plain addresses", async () => {
  const network = new BunNetwork(ignore);
  const seen = Promise.withResolvers<string[]>();
  const addresses: string[] = [];
  const listener = network.listen("0.0.0.0", 0, (stream: Stream) => {
    addresses.push(stream.remoteAddress);
    if (addresses.length === 2) seen.resolve(addresses.sort());
  });
  const streams = await Promise.all([network.dial("127.0.0.1", listener.port), network.dial("::1", listener.port)]);
  expect(await seen.promise).toEqual(["127.0.0.1", "::1"]);
  for (const stream of streams) stream.terminate();
  listener.close();
});

test("a port in use is refused by its name", () => {
  const network = new BunNetwork(ignore);
  const listener = network.listen("127.0.0.1", 0, ignore);
  expect(() => network.listen("127.0.0.1", listener.port, ignore)).toThrow(new ListenError(`127.0.0.1:${listener.port}`, "bind: address already in use"));
  listener.close();
});

test("an exception of a handler is reported and costs its connection alone", async () => {
  const reports: string[] = [];
  const network = new BunNetwork((error, doing) => reports.push(`${String(error)} ${doing.replace(/\d+$/, "N")}`));
  const echoed = Promise.withResolvers<string>();
  const closed = Promise.withResolvers<void>();
  const listener = network.listen("127.0.0.1", 0, (stream) => {
    stream.handler = {
      onData(bytes) {
        if (bytes.toString() === "bad") throw new Error("defect");
        stream.write(bytes, 0, bytes.length);
      },
      onDrain: ignore,
      onClose: ignore,
    };
  });
  const send = (stream: Stream, text: string): number => stream.write(Buffer.from(text), 0, text.length);
  const bad = await network.dial("127.0.0.1", listener.port);
  const good = await network.dial("127.0.0.1", listener.port);
  bad.handler = { onData: ignore, onDrain: ignore, onClose: () => closed.resolve() };
  good.handler = { onData: (bytes) => echoed.resolve(bytes.toString()), onDrain: ignore, onClose: ignore };
  send(bad, "bad");
  await closed.promise;
  send(good, "still here");
  expect(await echoed.promise).toBe("still here");
  expect(reports).toEqual(["Error: defect while reading from 127.0.0.1:N"]);
  good.terminate();
  listener.close();
});
