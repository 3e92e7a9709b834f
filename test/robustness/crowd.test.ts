/** Thousands of connections that come and die at random: nothing of them stays. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { deadlineIn, poll } from "../support/deadline.ts";
import { runToEnd } from "../support/server-process.ts";
import { connect, expectService, expectSoundLog, getJson, natsPort, residentMiB, startServer, waitForCounts } from "./robust.ts";

const TIMEOUT_MS = 60_000;
const CONNECTIONS = 5000;
const ROUNDS = 3;
/** What may be there more after the last round than after the first, MiB: pools are filled by then, the rest is what the collector has not seen to yet. */
const GROWTH_MIB = 120;
/** And than before any, MiB: pools, code that the compiler has optimised, a heap that was larger once. */
const RESIDUE_MIB = 250;

test("5,000 connections die at random, three times over", async () => {
  const server = await startServer({});
  try {
    const idle = residentMiB(server.pid);
    const after: number[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      const { code, stderr } = await runToEnd([process.execPath, join(import.meta.dir, "peer.ts"), "crowd", String(natsPort(server)), String(CONNECTIONS), String(round)], { milliseconds: 20_000 });
      expect(stderr).toBe("");
      expect(code).toBe(0);
      await waitForCounts(server, 0, 0);
      await expectService(server);
      await waitForCounts(server, 0, 0);
      after.push(residentMiB(server.pid));
    }
    const varz = await getJson(server, "/varz");
    expect(Number(varz["total_connections"])).toBeGreaterThanOrEqual(CONNECTIONS * ROUNDS);
    expectSoundLog(server);
    expect(after[ROUNDS - 1] - after[0]).toBeLessThan(GROWTH_MIB);
    expect(after[ROUNDS - 1] - idle).toBeLessThan(RESIDUE_MIB);
  } finally {
    await server.stop();
  }
}, TIMEOUT_MS);

test("2,000 half-open handshakes are cut by the authentication timeout, while others are served", async () => {
  const server = await startServer({ config: "authorization { token: secret, timeout: 1 }" });
  const loris = 2000;
  let cut = 0;
  let told = 0;
  try {
    const openedAt = performance.now();
    for (let opened = 0; opened < loris; opened += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) =>
          Bun.connect<undefined>({
            hostname: "127.0.0.1",
            port: natsPort(server),
            socket: {
              open(socket) {
                if (index % 2 === 0) socket.write('CONNECT {"auth_token":"sec');
              },
              data(_socket, bytes) {
                if (bytes.includes("-ERR 'Authentication Timeout'")) told++;
              },
              close() {
                cut++;
              },
            },
          }),
        ),
      );
    }
    const good = await connect(server, '"verbose":false,"auth_token":"secret"');
    await poll(10_000, "the end of all half-open handshakes", () => (cut === loris ? true : undefined));
    expect(told).toBe(loris);
    expect(performance.now() - openedAt).toBeGreaterThan(900);
    good.send(Buffer.from("PING\r\n"));
    const end = deadlineIn(5000);
    while ((await good.received.readLine(5000)) !== "PONG") expect(performance.now()).toBeLessThan(end);
    good.close();
    await waitForCounts(server, 0, 0);
    expectSoundLog(server);
  } finally {
    await server.stop();
  }
}, TIMEOUT_MS);
