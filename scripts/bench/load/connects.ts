/**
 * Many connections, opened as fast as the server accepts them and kept: how fast, and what one costs in memory.
 */
import type { Figure } from "../figures.ts";
import { Connection } from "./connection.ts";
import { varz } from "./monitor.ts";
import type { ConnectsSpec, Target } from "./spec.ts";
import { measure, rateFigures } from "./window.ts";

export async function runConnects(spec: ConnectsSpec, target: Target): Promise<Figure[]> {
  const open: Connection[] = [await Connection.open(target)];
  let started = 0;
  const lane = async (): Promise<void> => {
    while (started < spec.connections) {
      started++;
      open.push(await Connection.open(target));
    }
  };
  const window = await measure(target, async () => {
    await Promise.all(Array.from({ length: spec.concurrency }, lane));
  });
  const { connections } = await varz(target);
  if (connections !== open.length) throw new Error(`the server counts ${connections} connections, ${open.length} are open`);
  return [
    ...rateFigures(window, spec.connections, "conns"),
    { name: "RSS per connection", unit: "KiB", better: "lower", value: window.serverBytesGrown / 1024 / spec.connections },
  ];
}
