/** What the operating system's signals make a running server do. */
import type { Logger } from "../log/index.ts";
import type { System } from "../platform/index.ts";

/** The part of a server that signals reach. */
export interface SignalledServer {
  /** Whether lame duck mode is under way. */
  readonly isLameDuck: boolean;
  /** Reads the configuration again; logs its own outcome. */
  /** Logs its own outcome. */
  reload(): Promise<unknown> | void;
  /** Enters lame duck mode; ignored when it is under way. */
  lameDuck(): void;
  /** Resolves when everything is closed. */
  shutdown(): Promise<void>;
}

export interface SignalParts {
  readonly system: Pick<System, "onSignal" | "exit">;
  readonly log: Logger & { reopen(): void; close(): Promise<void> };
  readonly server: SignalledServer;
}

/** Lets signals through to `server`. INT and TERM end the process with code 0; TERM does not cut a lame duck short. */
export function handleSignals({ system, log, server }: SignalParts): void {
  let stopping = false;
  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    await server.shutdown();
    await log.close();
    system.exit(0);
  };
  system.onSignal("SIGINT", () => {
    log.info('Trapped "interrupt" signal');
    void stop();
  });
  system.onSignal("SIGTERM", () => {
    log.info('Trapped "terminated" signal');
    if (!server.isLameDuck) void stop();
  });
  system.onSignal("SIGHUP", () => {
    log.info('Trapped "hangup" signal');
    void server.reload();
  });
  system.onSignal("SIGUSR1", () => {
    log.info('Trapped "user defined signal 1" signal');
    log.reopen();
  });
  system.onSignal("SIGUSR2", () => {
    log.info('Trapped "user defined signal 2" signal');
    server.lameDuck();
  });
}
