/** The program: opens the machine's doors, puts the rooms together, and hands the rest to `cli/`. */
import { run } from "./cli/run.ts";
import { helpText, loadOptions, type LoadResult, parseCommand, tlsHelpText, validate } from "./config/index.ts";
import { LogHub } from "./log/index.ts";
import { SystemClock } from "./platform/bun/clock.ts";
import { lowerCompilerPriority } from "./platform/bun/compiler-threads.ts";
import { SystemDisk } from "./platform/bun/disk.ts";
import { bunHttp } from "./platform/bun/http.ts";
import { BunNetwork } from "./platform/bun/network.ts";
import { SystemRandom } from "./platform/bun/random.ts";
import { SystemSyslog } from "./platform/bun/syslog.ts";
import { SystemProcess, defectText, onDefect } from "./platform/bun/system.ts";
import type { Platform } from "./platform/index.ts";
import { makeServerKeys } from "./server/identity.ts";
import { Server } from "./server/server.ts";

const system = new SystemProcess();
const network = new BunNetwork((error, doing) => log.error(`Internal error ${doing}: ${defectText(error)}`));
const platform: Platform = { clock: new SystemClock(), random: new SystemRandom(), disk: new SystemDisk(), network, http: bunHttp, system };
const log = new LogHub({ ...platform, syslog: new SystemSyslog() });

const keys = await makeServerKeys();
const exitCode = await run({
  platform,
  log,
  parse: parseCommand,
  helpText,
  tlsHelpText,
  load: (flags) => loadOptions({ flags, disk: platform.disk, environment: (name) => system.environment(name) }),
  validate,
  makeServer: (options, flags) => {
    const load = (): LoadResult => loadOptions({ flags, disk: platform.disk, environment: (name) => system.environment(name), reload: true });
    const server = new Server({ options, platform, log, keys, reload: { load, configureLog: (fresh) => log.configure(fresh.log) } });
    server.onStopped = () => void log.close().then(() => system.exit(0));
    return server;
  },
});
if (exitCode !== undefined) system.exit(exitCode);
lowerCompilerPriority();

// From here on an exception that reaches the event loop is a defect that must not end the server: it is logged.
onDefect((text) => log.error(`Internal error: ${text}`));
