/**
 * What the program does from its arguments to its exit code: print its version or help, check a configuration, signal another server, or be one. The parts
 * come in as `Program`, so that all of it can be tested without a process.
 */
import type { Command, Flags } from "../config/index.ts";
import { type LogHub, LogOpenError, type LogSettings, secondsStamp } from "../log/index.ts";
import type { Platform } from "../platform/index.ts";
import { OWN_NAME, OWN_VERSION, VERSION } from "../util/version.ts";
import { sendSignal } from "./signal-command.ts";
import { handleSignals } from "./signals.ts";
import type { SignalledServer } from "./signals.ts";

/** What the program reads of the options; the server reads the rest. */
export interface RunOptions {
  readonly configDigest: string;
  readonly log: LogSettings;
  /** Set options whose feature is not in this version. */
  readonly unsupported: readonly string[];
}

/** Options, or everything that is wrong with them. */
export type Loaded<Options> = { readonly ok: true; readonly options: Options; readonly warnings: readonly string[] } | { readonly ok: false; readonly messages: string };

export interface RunningServer extends SignalledServer {
  /** Throws (or rejects with) an error named `FatalError` whose message is the fatal text. */
  start(): void | Promise<void>;
  /** Set by the program; called when the server has stopped on its own, after lame duck mode. */
  onStopped: () => void;
}

/** The rooms below, as this one needs them. */
export interface Program<Options extends RunOptions> {
  readonly platform: Platform;
  readonly log: LogHub;
  parse(argv: readonly string[]): Command;
  helpText(): string;
  tlsHelpText(): string;
  load(flags: Flags): Loaded<Options>;
  /** The first reason why a server cannot be started with these options. */
  validate(options: Options): string | undefined;
  makeServer(options: Options, flags: Flags): RunningServer;
}

/** Runs the program. Resolves to the exit code, or to undefined while a server goes on running. */
export async function run<Options extends RunOptions>(program: Program<Options>): Promise<number | undefined> {
  const { system } = program.platform;
  const fail = (text: string): number => {
    system.stderr(`nats-server: ${text}\n`);
    return 1;
  };
  const print = (text: string): number => {
    system.stdout(text);
    return 0;
  };

  const command = program.parse(system.argv);
  switch (command.kind) {
    case "version":
      return print(`nats-server: v${VERSION}\n${OWN_NAME}: v${OWN_VERSION}\n`);
    case "help":
      return print(program.helpText());
    case "help_tls":
      return print(program.tlsHelpText());
    case "error":
      system.stderr(`${command.usage ? "" : "nats-server: "}${command.stderr}\n`);
      if (command.usage) system.stdout(program.helpText());
      return command.exitCode;
    case "signal": {
      const outcome = sendSignal(program.platform, command.signal);
      return outcome.ok ? 0 : fail(outcome.text);
    }
    case "test":
      return testConfiguration(program, command.flags, fail);
    case "run":
      return serve(program, command.flags, fail);
  }
}

function testConfiguration<Options extends RunOptions>(program: Program<Options>, flags: Flags, fail: (text: string) => number): number {
  const loaded = program.load(flags);
  if (!loaded.ok) return fail(loaded.messages);
  if (loaded.warnings.length > 0) return fail(loaded.warnings.map((warning) => `${warning}\n`).join(""));
  // a success, but told where failures are
  program.platform.system.stderr(`nats-server: configuration file ${flags.configFile ?? ""} is valid (${loaded.options.configDigest})\n`);
  return 0;
}

async function serve<Options extends RunOptions>(program: Program<Options>, flags: Flags, fail: (text: string) => number): Promise<number | undefined> {
  const { system, clock } = program.platform;
  const loaded = program.load(flags);
  if (!loaded.ok) return fail(loaded.messages);
  const { options } = loaded;
  for (const warning of loaded.warnings) system.stderr(`${warning}\n`);
  const invalid = program.validate(options);
  if (invalid !== undefined) return fail(invalid);
  if (options.unsupported.length > 0) return fail(`not in this version of ${OWN_NAME}:\n${options.unsupported.join("\n")}`);

  try {
    await program.log.configure(options.log);
  } catch (error) {
    if (!(error instanceof LogOpenError)) throw error;
    const atNs = clock.nowNs();
    system.stderr(`${secondsStamp(atNs, clock.zoneOffsetMinutes(clock.nowMs()))} ${error.message}\n`);
    return 1;
  }

  const server = program.makeServer(options, flags);
  handleSignals({ system, log: program.log, server });
  server.onStopped = () => void program.log.close().then(() => system.exit(0));
  try {
    await server.start();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "FatalError") throw error;
    program.log.fatal(error.message);
    await program.log.close();
    return 1;
  }
  return undefined;
}
