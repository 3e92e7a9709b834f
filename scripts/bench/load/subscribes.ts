/**
 * Many literal subscriptions on a few connections: how fast they are taken, and what one costs in memory.
 */
import type { Figure } from "../figures.ts";
import { Connection } from "./connection.ts";
import { varz } from "./monitor.ts";
import type { SubscribesSpec, Target } from "./spec.ts";
import { measure, rateFigures } from "./window.ts";

export async function runSubscribes(spec: SubscribesSpec, target: Target): Promise<Figure[]> {
  const each = Math.ceil(spec.subscriptions / spec.connections);
  const prepared = await Promise.all(Array.from({ length: spec.connections }, async (_, index) => {
    const connection = await Connection.open(target);
    const lines: string[] = [];
    for (let sid = 1; sid <= each; sid++) lines.push(`SUB device.${(index * each + sid).toString().padStart(7, "0")}.state ${sid}\r\n`);
    return { connection, bytes: connection.encode(Buffer.from(lines.join(""), "latin1")) };
  }));
  const before = await varz(target);
  const window = await measure(target, async () => {
    await Promise.all(prepared.map(({ connection, bytes }) => {
      connection.write(bytes);
      return connection.flush();
    }));
  });
  const made = each * spec.connections;
  const counted = (await varz(target)).subscriptions - before.subscriptions;
  if (counted !== made) throw new Error(`the server counts ${counted} subscriptions, ${made} were made`);
  return [
    ...rateFigures(window, made, "subs"),
    { name: "RSS per subscription", unit: "B", better: "lower", value: window.serverBytesGrown / made },
  ];
}
