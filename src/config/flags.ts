/**
 * The command line: one table of flags, read by the rules of Go's flag syntax (one or two dashes, `=`, the first plain word ends the flags), and what
 * flags do to options. Flags win over the file, also when they switch something off.
 */
import { type Disk, DiskError } from "../platform/index.ts";
import { goQuote } from "../util/quote.ts";
import type { Options } from "./options.ts";
import { DEFAULT_TLS } from "./schema/tls.ts";
import { readCertificatePair, readRoots, TlsFileError } from "./tlsfiles.ts";

type FlagType = "string" | "number" | "boolean";

interface Flag {
  readonly names: readonly string[];
  readonly type: FlagType;
  readonly section: string;
  /** As in the help text; absent for flags it does not show. */
  readonly spelling?: string;
  readonly help: string;
}

/** Every flag by its canonical name. */
const FLAGS = {
  host: { names: ["a", "addr", "net"], type: "string", section: "Server", spelling: "-a, --addr, --net <host>", help: "Bind to host address (default: 0.0.0.0)" },
  port: { names: ["p", "port"], type: "number", section: "Server", spelling: "-p, --port <port>", help: "Use port for clients (default: 4222)" },
  serverName: { names: ["n", "name", "server_name"], type: "string", section: "Server", spelling: "-n, --name\n    --server_name <server_name>", help: "Server name (default: auto)" },
  pidFile: { names: ["P", "pid"], type: "string", section: "Server", spelling: "-P, --pid <file>", help: "File to store PID" },
  httpPort: { names: ["m", "http_port"], type: "number", section: "Server", spelling: "-m, --http_port <port>", help: "Use port for http monitoring" },
  httpsPort: { names: ["ms", "https_port"], type: "number", section: "Server", spelling: "-ms,--https_port <port>", help: "Use port for https monitoring" },
  configFile: { names: ["c", "config"], type: "string", section: "Server", spelling: "-c, --config <file>", help: "Configuration file" },
  test: { names: ["t"], type: "boolean", section: "Server", spelling: "-t", help: "Test configuration and exit" },
  signal: {
    names: ["sl", "signal"], type: "string", section: "Server", spelling: "-sl,--signal <signal>[=<pid>]",
    help: "Send signal to nats-server process (ldm, stop, quit, term, reopen, reload)\n<pid> can be either a PID (e.g. 1) or the path to a PID file (e.g. /var/run/nats-server.pid)",
  },
  clientAdvertise: { names: ["client_advertise"], type: "string", section: "Server", spelling: "    --client_advertise <string>", help: "Client URL to advertise to other servers" },
  portsFileDir: { names: ["ports_file_dir"], type: "string", section: "Server", spelling: "    --ports_file_dir <dir>", help: "Creates a ports file in the specified directory (<executable_name>_<pid>.ports)." },
  logFile: { names: ["l", "log"], type: "string", section: "Logging", spelling: "-l, --log <file>", help: "File to redirect log output" },
  logtime: { names: ["T", "logtime"], type: "boolean", section: "Logging", spelling: "-T, --logtime", help: "Timestamp log entries (default: true)" },
  logtimeUtc: { names: ["logtime_utc"], type: "boolean", section: "Logging", spelling: "    --logtime_utc", help: "Timestamps in UTC instead of local timezone (default: false)" },
  syslog: { names: ["s", "syslog"], type: "boolean", section: "Logging", spelling: "-s, --syslog", help: "Log to syslog or windows event log" },
  remoteSyslog: { names: ["r", "remote_syslog"], type: "string", section: "Logging", spelling: "-r, --remote_syslog <addr>", help: "Syslog server addr (udp://localhost:514)" },
  debug: { names: ["D", "debug"], type: "boolean", section: "Logging", spelling: "-D, --debug", help: "Enable debugging output" },
  trace: { names: ["V", "trace"], type: "boolean", section: "Logging", spelling: "-V, --trace", help: "Trace the raw protocol" },
  verboseTrace: { names: ["VV"], type: "boolean", section: "Logging", spelling: "-VV", help: "Verbose trace (traces system account as well)" },
  debugTrace: { names: ["DV"], type: "boolean", section: "Logging", spelling: "-DV", help: "Debug and trace" },
  debugVerboseTrace: { names: ["DVV"], type: "boolean", section: "Logging", spelling: "-DVV", help: "Debug and verbose trace (traces system account as well)" },
  logSizeLimit: { names: ["log_size_limit"], type: "number", section: "Logging", spelling: "    --log_size_limit <limit>", help: "Logfile size limit (default: auto)" },
  maxTracedMsgLen: { names: ["max_traced_msg_len"], type: "number", section: "Logging", spelling: "    --max_traced_msg_len <len>", help: "Maximum printable length for traced messages (default: unlimited)" },
  jetstream: { names: ["js", "jetstream"], type: "boolean", section: "JetStream", spelling: "-js, --jetstream", help: "Enable JetStream functionality" },
  storeDir: { names: ["sd", "store_dir"], type: "string", section: "JetStream", spelling: "-sd, --store_dir <dir>", help: "Set the storage directory" },
  user: { names: ["user"], type: "string", section: "Authorization", spelling: "    --user <user>", help: "User required for connections" },
  pass: { names: ["pass"], type: "string", section: "Authorization", spelling: "    --pass <password>", help: "Password required for connections" },
  auth: { names: ["auth"], type: "string", section: "Authorization", spelling: "    --auth <token>", help: "Authorization token required for connections" },
  tls: { names: ["tls"], type: "boolean", section: "TLS", spelling: "    --tls", help: "Enable TLS, do not verify clients (default: false)" },
  tlsCert: { names: ["tlscert"], type: "string", section: "TLS", spelling: "    --tlscert <file>", help: "Server certificate file" },
  tlsKey: { names: ["tlskey"], type: "string", section: "TLS", spelling: "    --tlskey <file>", help: "Private key for server certificate" },
  tlsVerify: { names: ["tlsverify"], type: "boolean", section: "TLS", spelling: "    --tlsverify", help: "Enable TLS, verify client certificates" },
  tlsCaCert: { names: ["tlscacert"], type: "string", section: "TLS", spelling: "    --tlscacert <file>", help: "Client certificate CA for verification" },
  routes: { names: ["routes"], type: "string", section: "Cluster", spelling: "    --routes <rurl-1, rurl-2>", help: "Routes to solicit and connect" },
  cluster: { names: ["cluster"], type: "string", section: "Cluster", spelling: "    --cluster <cluster-url>", help: "Cluster URL for solicited routes" },
  clusterName: { names: ["cluster_name"], type: "string", section: "Cluster", spelling: "    --cluster_name <string>", help: "Cluster Name, if not set one will be dynamically generated" },
  noAdvertise: { names: ["no_advertise"], type: "boolean", section: "Cluster", spelling: "    --no_advertise <bool>", help: "Do not advertise known cluster information to clients" },
  clusterAdvertise: { names: ["cluster_advertise"], type: "string", section: "Cluster", spelling: "    --cluster_advertise <string>", help: "Cluster URL to advertise to other servers" },
  connectRetries: { names: ["connect_retries"], type: "number", section: "Cluster", spelling: "    --connect_retries <number>", help: "For implicit routes, number of connect retries" },
  clusterListen: { names: ["cluster_listen"], type: "string", section: "Cluster", spelling: "    --cluster_listen <url>", help: "Cluster url from which members can solicit routes" },
  profile: { names: ["profile"], type: "number", section: "Profiling", spelling: "    --profile <port>", help: "Profiling HTTP port" },
  help: { names: ["h", "help"], type: "boolean", section: "Common", spelling: "-h, --help", help: "Show this message" },
  version: { names: ["v", "version"], type: "boolean", section: "Common", spelling: "-v, --version", help: "Show version" },
  helpTls: { names: ["help_tls"], type: "boolean", section: "Common", spelling: "    --help_tls", help: "TLS help" },
} as const satisfies Record<string, Flag>;

type FlagName = keyof typeof FLAGS;
type ValueOf<T extends FlagType> = T extends "string" ? string : T extends "number" ? number : boolean;

/** The flags that were given, by canonical name. */
export type Flags = { readonly [K in FlagName]?: ValueOf<(typeof FLAGS)[K]["type"]> };

export const NO_FLAGS: Flags = {};

export type Command =
  | { readonly kind: "run"; readonly flags: Flags }
  | { readonly kind: "test"; readonly flags: Flags & { readonly configFile: string } }
  | { readonly kind: "signal"; readonly signal: string; readonly flags: Flags }
  | { readonly kind: "version" | "help" | "help_tls" }
  /** `stderr` is the whole text; `usage` asks for the help text on standard output. */
  | { readonly kind: "error"; readonly stderr: string; readonly usage: boolean; readonly exitCode: number };

const BY_NAME: ReadonlyMap<string, FlagName> = new Map(
  (Object.keys(FLAGS) as FlagName[]).flatMap((flag) => FLAGS[flag].names.map((name): [string, FlagName] => [name, flag])),
);

/** Reads the arguments after the program's name. */
export function parseCommand(args: readonly string[]): Command {
  const given: Record<string, string | number | boolean> = {};
  let at = 0;
  for (; at < args.length; at++) {
    const argument = args[at];
    if (argument === "--") {
      at++;
      break;
    }
    if (!argument.startsWith("-") || argument === "-") break;
    const match = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(argument);
    const [, name, attached] = match ?? [];
    if (name === undefined || name === "" || name.startsWith("-")) return usageError(`bad flag syntax: ${argument}`);
    const flag = BY_NAME.get(name);
    if (flag === undefined) return usageError(`flag provided but not defined: -${name}`);
    const { type } = FLAGS[flag];
    if (attached === undefined && type !== "boolean" && at + 1 >= args.length) return usageError(`flag needs an argument: -${name}`);
    const written = attached ?? (type === "boolean" ? "true" : args[++at]);
    const value = flagValue(type, name, written);
    if (typeof value === "object") return usageError(value.problem);
    given[flag] = value;
  }
  return command(given as Flags, args.slice(at));
}

function usageError(stderr: string): Command {
  return { kind: "error", stderr, usage: true, exitCode: 0 };
}

function flagValue(type: FlagType, name: string, written: string): string | number | boolean | { readonly problem: string } {
  if (type === "string") return written;
  if (type === "boolean") {
    if (/^(?:1|t|T|true|TRUE|True)$/.test(written)) return true;
    if (/^(?:0|f|F|false|FALSE|False)$/.test(written)) return false;
    return { problem: `invalid boolean value ${goQuote(written)} for -${name}: parse error` };
  }
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9]\d*)$/.exec(written);
  if (match === null) return { problem: `invalid value ${goQuote(written)} for flag -${name}: parse error` };
  const size = Number(match[2].replace(/^0([0-7]+)$/, "0o$1"));
  if (size > 2 ** 63) return { problem: `invalid value ${goQuote(written)} for flag -${name}: value out of range` };
  return match[1] === "-" ? -size : size;
}

function command(flags: Flags, words: readonly string[]): Command {
  if (flags.version === true) return { kind: "version" };
  if (flags.help === true) return { kind: "help" };
  if (flags.helpTls === true) return { kind: "help_tls" };
  for (const word of words) {
    const lower = word.toLowerCase();
    if (lower === "version" || lower === "help") return { kind: lower };
    return { kind: "error", stderr: `unrecognized command: ${goQuote(word)}`, usage: false, exitCode: 1 };
  }
  if (flags.signal !== undefined && flags.signal !== "") return { kind: "signal", signal: flags.signal, flags };
  if (flags.test !== true) return { kind: "run", flags };
  if (flags.configFile === undefined || flags.configFile === "") {
    return { kind: "error", stderr: "must specify [-c, --config] option to check configuration file syntax", usage: false, exitCode: 1 };
  }
  return { kind: "test", flags: { ...flags, configFile: flags.configFile } };
}

const HELP_COLUMN = 37;

/** The text of `--help`. */
export function helpText(): string {
  let text = "\nUsage: nats-server [options]\n";
  let section = "";
  for (const flag of Object.values<Flag>(FLAGS)) {
    if (flag.spelling === undefined) continue;
    if (flag.section !== section) text += `\n${flag.section} Options:\n`;
    section = flag.section;
    const spelling = flag.spelling.split("\n").map((line) => `    ${line}`).join("\n");
    const last = spelling.slice(spelling.lastIndexOf("\n") + 1);
    const [first, ...more] = flag.help.split("\n");
    text += `${spelling}${" ".repeat(Math.max(1, HELP_COLUMN - last.length))}${first}\n`;
    for (const line of more) text += `${" ".repeat(HELP_COLUMN)}${line}\n`;
  }
  return `${text}\n`;
}

/** Flags whose value stays on top of the file at a reload; the others only count at start. */
const KEPT_AT_RELOAD: ReadonlySet<FlagName> = new Set<FlagName>([
  "host", "port", "clientAdvertise", "user", "pass", "auth", "httpPort", "debug", "trace", "verboseTrace", "debugTrace", "debugVerboseTrace",
  "logtime", "syslog", "noAdvertise", "jetstream", "logFile", "pidFile", "portsFileDir", "profile", "cluster", "clusterListen", "connectRetries",
  "clusterAdvertise", "routes", "storeDir",
]);

/** The flags that are re-applied at a reload. */
export function flagsKeptAtReload(flags: Flags): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => KEPT_AT_RELOAD.has(name as FlagName)));
}

export type Overlaid = { readonly ok: true; readonly options: Options } | { readonly ok: false; readonly message: string };

/** Puts flags on top of the file's options. TLS files are read here, so this may fail. */
export function overlayFlags(options: Options, flags: Flags, disk: Disk): Overlaid {
  const withTls = overlayTls(options, flags, disk);
  if (!withTls.ok) return withTls;
  if ((flags.routes ?? "") !== "" && !hasCluster(options, flags)) return { ok: false, message: "solicited routes require cluster capabilities, e.g. --cluster" };
  const base = withTls.options;
  const trace = flags.debugVerboseTrace ?? flags.debugTrace ?? flags.verboseTrace ?? flags.trace;
  const debug = flags.debugVerboseTrace ?? flags.debugTrace ?? flags.debug;
  const single = overlayUser(base, flags);
  return {
    ok: true,
    options: {
      ...base,
      ...single,
      host: flags.host ?? base.host,
      port: flags.port ?? base.port,
      serverName: flags.serverName ?? base.serverName,
      clientAdvertise: flags.clientAdvertise ?? base.clientAdvertise,
      httpPort: flags.httpPort ?? base.httpPort,
      httpsPort: flags.httpsPort ?? base.httpsPort,
      pidFile: flags.pidFile ?? base.pidFile,
      portsFileDir: flags.portsFileDir ?? base.portsFileDir,
      profPort: flags.profile ?? base.profPort,
      log: {
        ...base.log,
        debug: debug ?? base.log.debug,
        trace: trace ?? base.log.trace,
        traceVerbose: flags.debugVerboseTrace ?? flags.verboseTrace ?? base.log.traceVerbose,
        logtime: flags.logtime ?? base.log.logtime,
        logtimeUtc: flags.logtimeUtc ?? base.log.logtimeUtc,
        logFile: flags.logFile ?? base.log.logFile,
        logSizeLimitBytes: flags.logSizeLimit ?? base.log.logSizeLimitBytes,
        syslog: flags.syslog ?? base.log.syslog,
        remoteSyslog: flags.remoteSyslog ?? base.log.remoteSyslog,
        maxTracedMsgLen: flags.maxTracedMsgLen ?? base.log.maxTracedMsgLen,
      },
      jetstream: { ...base.jetstream, enabled: flags.jetstream ?? base.jetstream.enabled, storeDir: flags.storeDir ?? base.jetstream.storeDir },
      unsupported: [...withoutFlags(base.unsupported, flags), ...unsupportedFlags(flags)],
    },
  };
}

/** A single user or token from flags replaces that of the file. */
function overlayUser(options: Options, flags: Flags): Pick<Options, "authorization"> {
  return {
    authorization: {
      ...options.authorization,
      username: flags.user ?? options.authorization.username,
      password: flags.pass ?? options.authorization.password,
      token: flags.auth ?? options.authorization.token,
    },
  };
}

function hasCluster(options: Options, flags: Flags): boolean {
  return (flags.cluster ?? "") !== "" || (flags.clusterListen ?? "") !== "" || options.unsupported.some((each) => each.endsWith(": cluster"));
}

/** Flags that switch a feature of the file off take it out of what is missing. */
function withoutFlags(unsupported: readonly string[], flags: Flags): readonly string[] {
  const clusterOff = flags.cluster === "" || flags.clusterListen === "";
  return unsupported.filter((each) => !(clusterOff && each.endsWith(": cluster")));
}

function unsupportedFlags(flags: Flags): string[] {
  const missing: string[] = [];
  if ((flags.routes ?? "") !== "") missing.push("--routes");
  if ((flags.cluster ?? "") !== "") missing.push("--cluster");
  if ((flags.clusterListen ?? "") !== "") missing.push("--cluster_listen");
  return missing;
}

function overlayTls(options: Options, flags: Flags, disk: Disk): Overlaid {
  const cert = flags.tlsCert ?? "";
  const key = flags.tlsKey ?? "";
  const any = flags.tls !== undefined || flags.tlsVerify !== undefined || flags.tlsCaCert !== undefined || cert !== "" || key !== "";
  if (!any) return { ok: true, options };
  if (flags.tls === false) return { ok: true, options: { ...options, tls: undefined } };
  if (cert === "") return { ok: false, message: "TLS Server certificate must be present and valid" };
  if (key === "") return { ok: false, message: "TLS Server private key must be present and valid" };
  try {
    const caFile = flags.tlsCaCert ?? "";
    const tls = {
      ...DEFAULT_TLS,
      certificates: [readCertificatePair(disk, cert, key, "")],
      caFile,
      caPem: caFile === "" ? "" : readRoots(disk, caFile),
      verify: flags.tlsVerify ?? false,
    };
    return { ok: true, options: { ...options, tls } };
  } catch (error) {
    if (error instanceof TlsFileError || error instanceof DiskError) return { ok: false, message: error.message };
    throw error;
  }
}

/** The arguments with secrets replaced, for what the process publishes of itself. */
export function redactArguments(args: readonly string[]): readonly string[] {
  const secret = new Set(["user", "pass", "auth"]);
  const urls = new Set(["routes", "cluster", "cluster_listen"]);
  const redact = (name: string, value: string): string =>
    secret.has(name) ? "[REDACTED]" : urls.has(name) ? value.replace(/(:\/\/)[^@/,]*@/g, "$1[REDACTED]@") : value;
  return args.map((argument, index) => {
    const attached = /^(--?([^=]+)=)([\s\S]*)$/.exec(argument);
    if (attached !== null) return attached[1] + redact(attached[2], attached[3]);
    const before = /^--?([^=]+)$/.exec(args[index - 1] ?? "");
    return before === null ? argument : redact(before[1], argument);
  });
}
