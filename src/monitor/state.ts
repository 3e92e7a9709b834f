/** What monitoring itself keeps: requests per path, the ports it listens on, and the processor time seen last. */
import type { Clock, Platform, ProcessStats, System } from "../platform/index.ts";
import { LoopDelay } from "./loopdelay.ts";

/** A share of processor time over less than this says little. */
const SAMPLE_MS = 1000;

export class MonitorState {
  /** Requests by endpoint path, without the base path. */
  readonly requests = new Map<string, number>();
  /** Ports as bound; 0: not listening. */
  httpPort = 0;
  httpsPort = 0;
  readonly loopDelay: LoopDelay;
  readonly #cpu: CpuMeter;

  constructor(platform: Pick<Platform, "clock" | "system">) {
    this.loopDelay = new LoopDelay(platform.clock);
    this.#cpu = new CpuMeter(platform.clock, platform.system);
  }

  count(path: string): void {
    this.requests.set(path, (this.requests.get(path) ?? 0) + 1);
  }

  /** Memory and processor figures now. `cpuPercent` is of one core, with one decimal. */
  process(): ProcessStats & { readonly cpuPercent: number } {
    return this.#cpu.read();
  }
}

/** Percent of one core used since the last sample, taken at most once a second and only when somebody asks. */
class CpuMeter {
  #atMs: number;
  #cpuMs: number;
  #percent = 0;

  constructor(
    private readonly clock: Clock,
    private readonly system: System,
  ) {
    this.#atMs = clock.monotonicMs();
    this.#cpuMs = system.stats().cpuMs;
  }

  read(): ProcessStats & { readonly cpuPercent: number } {
    const stats = this.system.stats();
    const now = this.clock.monotonicMs();
    const spanMs = now - this.#atMs;
    if (spanMs >= SAMPLE_MS) {
      this.#percent = Math.round(((stats.cpuMs - this.#cpuMs) / spanMs) * 1000) / 10;
      this.#atMs = now;
      this.#cpuMs = stats.cpuMs;
    }
    return { ...stats, cpuPercent: this.#percent };
  }
}
