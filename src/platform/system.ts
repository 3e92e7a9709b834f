/**
 * The process and the machine: memory, processor time, environment, signals, and the one slow computation that must leave the event loop (bcrypt).
 */
export interface ProcessStats {
  /** Resident memory. */
  readonly rssBytes: number;
  /** Processor time used since the process started, milliseconds, user and system. */
  readonly cpuMs: number;
  readonly cores: number;
}

/** Compares a secret with a bcrypt hash off the event loop. */
export interface PasswordHash {
  /** Resolves to whether `secret` matches; never rejects (a malformed hash does not match). Only the first 72 bytes of the secret count. */
  verifyBcrypt(secret: Uint8Array, hash: string): Promise<boolean>;
}

/** What the runtime tells of itself to who looks for a leak, or for lost time. */
export interface Profiles {
  /** All that the heap holds: a `.heapsnapshot`. Holds the event loop while it is written. */
  heap(): Uint8Array;
  /** Where the time of the next milliseconds goes: a `.cpuprofile`. Resolves to undefined when one is being made already. */
  cpu(durationMs: number): Promise<Uint8Array | undefined>;
}

export interface System extends PasswordHash {
  readonly profiles: Profiles;
  readonly pid: number;
  /** Base name of the executable, as in the ports file's name and the syslog tag. */
  readonly executableName: string;
  readonly hostName: string;
  readonly argv: readonly string[];
  /** Folder for temporary files. */
  readonly temporaryFolder: string;
  /** Memory that this process may use: the machine's, or its control group's where that is less; 0 when unknown. */
  memoryBytes(): number;
  environment(name: string): string | undefined;
  stats(): ProcessStats;
  /** Text for `/stacksz` and heap figures for `/debug/vars`. */
  memoryFigures(): Readonly<Record<string, number>>;
  onSignal(name: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGUSR1" | "SIGUSR2", action: () => void): void;
  /** Sends a signal; throws an `Error` whose message is the system's reason (`no such process`). */
  kill(pid: number, signal: "SIGKILL" | "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGUSR1" | "SIGUSR2"): void;
  /** Runs a command to its end; undefined when it cannot be run. */
  run(command: readonly string[]): { readonly exitCode: number; readonly stdout: string } | undefined;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Whether standard error is a terminal (colours). */
  readonly stderrIsTerminal: boolean;
  exit(code: number): never;
}
