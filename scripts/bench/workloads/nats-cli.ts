/**
 * The `nats` CLI's own benchmark, as a second opinion by a real client: `nats bench sub` beside `nats bench pub`.
 * Only there if NATS_CLI names the program.
 */
import type { Figure } from "../figures.ts";
import { varz } from "../load/monitor.ts";
import type { Target } from "../load/spec.ts";
import { cpuSeconds } from "../proc.ts";
import { onFreshServer } from "./workload.ts";
import type { Workload } from "./workload.ts";

const SUBJECT = "bench.cli";
const PAYLOAD_BYTES = 128;
const MESSAGES = 1_000_000;
const SUBSCRIBED_MS_MAX = 10_000;
const POLL_MS = 20;

/** Waits until the server counts more subscriptions than `before`. */
async function subscribed(target: Target, before: number): Promise<void> {
  const deadline = Date.now() + SUBSCRIBED_MS_MAX;
  while ((await varz(target)).subscriptions <= before) {
    if (Date.now() > deadline) throw new Error("nats bench sub did not subscribe");
    await Bun.sleep(POLL_MS);
  }
}

/** The rate in the CLI's summary line, for example `1,234,567 msgs/sec`. */
function rateIn(output: string): number {
  const match = /([\d,]+) msgs\/sec/.exec(output);
  if (match === null) throw new Error(`no rate in the output of nats bench: ${output.trim()}`);
  return Number(match[1].replaceAll(",", ""));
}

function pubSub(cli: string): Workload["run"] {
  return (setting) => onFreshServer(setting, "tcp", async (target) => {
    const messages = Math.ceil(MESSAGES * setting.scale);
    const bench = (role: "pub" | "sub") => Bun.spawn(
      [cli, "--no-context", "-s", `nats://${target.host}:${target.port}`, "bench", role, SUBJECT,
        "--msgs", `${messages}`, "--size", `${PAYLOAD_BYTES}`, "--no-progress"],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000 },
    );
    const { subscriptions } = await varz(target);
    const sub = bench("sub");
    const output = Promise.all([sub.stdout.text(), sub.stderr.text()]);
    try {
      await subscribed(target, subscriptions);
      const cpuBefore = cpuSeconds(target.serverPid);
      const pub = bench("pub");
      const [pubOut, pubErrors] = await Promise.all([pub.stdout.text(), pub.stderr.text()]);
      const [subOut, subErrors] = await output;
      const cpu = Math.max(cpuSeconds(target.serverPid) - cpuBefore, 0.01);
      const figures: Figure[] = [
        { name: "publish rate", unit: "msgs/s", better: "higher", value: rateIn(pubOut + pubErrors) },
        { name: "receive rate", unit: "msgs/s", better: "higher", value: rateIn(subOut + subErrors) },
        { name: "rate per server CPU", unit: "msgs/cpu-s", better: "higher", value: messages / cpu },
      ];
      return figures;
    } finally {
      sub.kill();
    }
  });
}

/** The workloads that need the CLI; none if `cli` is not given. */
export function natsCliWorkloads(cli: string | undefined): readonly Workload[] {
  if (cli === undefined || cli === "") return [];
  return [{ name: "nats-bench", about: `nats bench pub and sub, ${PAYLOAD_BYTES} B`, run: pubSub(cli) }];
}
