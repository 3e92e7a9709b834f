/** Which requests are measured by chance. What headers ask for is in `test/transcripts/accounts/sampling.txt`. */
import { expect, test } from "bun:test";
import { LatencyMeter } from "../../src/accounts/exchange/latency.ts";
import { Message } from "../../src/routing/index.ts";
import { VirtualClock } from "../sim/clock.ts";
import { SeededRandom } from "../sim/random.ts";

function measured(samplingPercent: number, requests: number): number {
  const meter = new LatencyMeter({ subject: "lat", samplingPercent }, false, { clock: new VirtualClock(new SeededRandom(1)), random: new SeededRandom(7), serverName: () => "S", nuid: () => "", publish: () => undefined });
  let count = 0;
  for (let i = 0; i < requests; i++) if (meter.begin(new Message(), undefined) !== undefined) count++;
  return count;
}

test("a percentage picks about as many requests", () => {
  expect(measured(100, 1000)).toBe(1000);
  for (const percent of [1, 25, 50, 75, 99]) {
    const share = measured(percent, 20_000) / 200;
    expect(Math.abs(share - percent)).toBeLessThan(1.5);
  }
});

test("without headers that ask for it nothing is measured where only headers count", () => {
  expect(measured(0, 1000)).toBe(0);
});
