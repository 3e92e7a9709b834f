/**
 * Peers that do not behave, as a process of their own, so that their work does not slow down whoever measures. `peer.ts crowd <port> <count> <seed>`: so many
 * connections that open, subscribe, publish and die at random; ends when all are gone. `peer.ts flood <port> <subject>`: publishes as fast as the server takes
 * it, until it is killed.
 */
import type { Socket } from "bun";
import { SeededRandom } from "../sim/random.ts";

const CONNECT = 'CONNECT {"verbose":false}\r\n';

async function crowd(port: number, count: number, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  let gone = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const isGone = (): void => {
    if (++gone === count) resolve();
  };
  const alive: Socket<undefined>[] = [];
  const die = (socket: Socket<undefined>): void => {
    const way = random.integer(3);
    if (way === 0) socket.end();
    else if (way === 1) socket.terminate();
    else {
      socket.write("PUB half 1000\r\nhalf a mess");
      socket.terminate();
    }
  };
  for (let opened = 0; opened < count; opened += 100) {
    const batch = Array.from({ length: Math.min(100, count - opened) }, (_, index) =>
      Bun.connect<undefined>({
        hostname: "127.0.0.1",
        port,
        socket: {
          open(socket) {
            const number = opened + index;
            socket.write(`${CONNECT}SUB own.${number} 1\r\nSUB all.* q${number % 7} 2\r\nSUB wild.*.${number % 100} 3\r\nPUB own.${number} 2\r\nhi\r\nPUB all.x 2\r\nhi\r\nPUB wild.a.${number % 100} 2\r\nhi\r\nPING\r\n`);
          },
          data() {},
          close: isGone,
          error() {},
        },
      }),
    );
    alive.push(...(await Promise.all(batch)));
    // Some die while others still come.
    while (alive.length > 0 && random.chance(0.97) && opened > count / 2) {
      const [socket] = alive.splice(random.integer(alive.length), 1);
      die(socket);
    }
  }
  for (const socket of alive) die(socket);
  await promise;
}

async function flood(port: number, subject: string): Promise<void> {
  const message = `PUB ${subject} 512\r\n${"f".repeat(512)}\r\n`;
  const chunk = Buffer.from(message.repeat(200));
  let at = 0;
  const pump = (socket: Socket<undefined>): void => {
    for (;;) {
      at += Math.max(0, socket.write(chunk, at, chunk.length - at));
      if (at < chunk.length) return;
      at = 0;
    }
  };
  await Bun.connect<undefined>({
    hostname: "127.0.0.1",
    port,
    socket: {
      open(socket) {
        socket.write(CONNECT);
        pump(socket);
        process.stdout.write("flooding\n");
      },
      drain: pump,
      data() {},
      close() {
        process.exit(1);
      },
    },
  });
}

const [what = "", port = "", detail = "", seed = "1"] = process.argv.slice(2);
if (what === "crowd") {
  await crowd(Number(port), Number(detail), Number(seed));
  process.exit(0);
}
if (what === "flood") await flood(Number(port), detail);
