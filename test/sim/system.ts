/**
 * A process that is none: no signals, no environment but the one given, and a bcrypt that only looks like one. Its hashes are `$2b$04$` and the secret
 * itself; the comparison takes `bcryptMs` of virtual time.
 */
import type { ProcessStats, System } from "../../src/platform/index.ts";
import type { VirtualClock } from "./clock.ts";

const HASH_HEAD = "$2b$04$";

/** What the simulated bcrypt takes for the hash of `secret`. */
export function simulatedHash(secret: string): string {
  return HASH_HEAD + secret;
}

export class SimulatedSystem implements System {
  readonly pid = 4242;
  readonly executableName = "nats-server";
  readonly hostName = "simulated";
  readonly argv: readonly string[] = [];
  readonly stderrIsTerminal = false;
  readonly variables = new Map<string, string>();
  /** How long one comparison takes; 0 answers at once, though never in the same call. */
  bcryptMs = 0;

  constructor(private readonly clock: VirtualClock) {}

  verifyBcrypt(secret: Uint8Array, hash: string): Promise<boolean> {
    const matches = hash === simulatedHash(Buffer.from(secret).toString("utf8"));
    return new Promise((resolve) => this.clock.event(this.bcryptMs, () => resolve(matches)));
  }

  readonly temporaryFolder = "/tmp";

  memoryBytes(): number {
    return 2 ** 34;
  }

  environment(name: string): string | undefined {
    return this.variables.get(name);
  }

  stats(): ProcessStats {
    return { rssBytes: 0, cpuMs: 0, cores: 1 };
  }

  readonly profiles = { heap: () => new Uint8Array(), cpu: () => Promise.resolve(undefined) };

  memoryFigures(): Readonly<Record<string, number>> {
    return {};
  }

  onSignal(): void {}

  kill(): void {
    throw new Error("no such process");
  }

  run(): undefined {
    return undefined;
  }

  stdout(): void {}

  stderr(): void {}

  exit(code: number): never {
    throw new Error(`the simulated process exits with code ${code}`);
  }
}
