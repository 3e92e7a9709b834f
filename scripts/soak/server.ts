/** The server under the soak: killed and started again on the same port and files. */
import type { Subprocess } from "bun";
import { createServer } from "node:net";
import { join } from "node:path";

/** A port that is free now. The server has to come back on it after each death, so it cannot choose its own. */
function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}

export class SoakServer {
  port = 0;
  #process: Subprocess<"ignore", "ignore", "pipe"> | undefined;

  constructor(
    private readonly binary: string,
    private readonly folder: string,
    private readonly sync: string,
  ) {}

  /** Resolves when the server says that it is ready. */
  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const config = join(this.folder, "nats.conf");
    const sync = this.sync === "" ? "" : `, sync_interval: ${this.sync}`;
    await Bun.write(config, `listen: "127.0.0.1:${this.port}"\njetstream { store_dir: ${JSON.stringify(this.folder)}${sync} }\n`);
    const spawned = Bun.spawn([this.binary, "-c", config], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    this.#process = spawned;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    void (async () => {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of spawned.stderr) {
        text = (text + decoder.decode(chunk, { stream: true })).slice(-20_000);
        if (text.includes("Server is ready")) resolve();
        for (const line of decoder.decode(chunk).split("\n")) if (/\[(WRN|ERR|FTL)\]/.test(line)) console.log(line);
      }
      reject(new Error(`the server ended: ${text}`));
    })();
    await promise;
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async stop(): Promise<void> {
    this.#process?.kill("SIGTERM");
    await this.#process?.exited;
  }
}
