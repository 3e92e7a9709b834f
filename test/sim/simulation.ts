/**
 * A world on virtual time, made from one seed: clock, randomness, disk, network, process. Servers are started in it with a configuration text, clients connect
 * to them; nothing happens until the test calls `advance` or `settle`. The same seed and the same test give the same run.
 */
import { type LoadResult, loadOptions, NO_FLAGS, type Options, validate } from "../../src/config/index.ts";
import { type HttpClient, HttpError, type Platform } from "../../src/platform/index.ts";
import { Server } from "../../src/server/server.ts";
import { SimClient } from "./client.ts";
import { VirtualClock } from "./clock.ts";
import { MemoryDisk } from "./disk.ts";
import { MemoryLog } from "./log.ts";
import { type Conditions, MemoryNetwork } from "./network.ts";
import { SeededRandom } from "./random.ts";
import { SimulatedSystem } from "./system.ts";

export class Simulation implements Platform {
  readonly random: SeededRandom;
  readonly clock: VirtualClock;
  readonly disk = new MemoryDisk();
  readonly network: MemoryNetwork;
  /** There are no web servers in this world. */
  readonly http: HttpClient = { get: () => Promise.reject(new HttpError("connect: connection refused")) };
  readonly system: SimulatedSystem;

  constructor(readonly seed = 1) {
    this.random = new SeededRandom(seed);
    this.clock = new VirtualClock(this.random);
    this.network = new MemoryNetwork(this.clock, this.random);
    this.system = new SimulatedSystem(this.clock);
  }

  /** Starts a server. Its client port is the network's choice, so the text leaves it out. */
  start(config = ""): SimServer {
    const made = this.#make(config);
    if (made.server.start() instanceof Promise) throw new Error("a server with JetStream is started with startWithStorage");
    return made.started();
  }

  /** Starts a server with JetStream, in `/store` of the simulation's disk unless `config` says otherwise. */
  async startWithStorage(config = 'jetstream { store_dir: "/store" }'): Promise<SimServer> {
    const made = this.#make(config);
    let failure: unknown;
    let done = false;
    void Promise.resolve(made.server.start()).then(
      () => (done = true),
      (error: unknown) => {
        failure = error;
        done = true;
      },
    );
    while (!done) await this.settle();
    if (failure !== undefined) throw failure;
    return made.started();
  }

  #make(config: string): SimServer {
    const path = `/servers/${++this.#servers}/nats.conf`;
    const environment = (name: string): string | undefined => this.system.environment(name);
    const load = (reload: boolean): LoadResult => loadOptions({ flags: { ...NO_FLAGS, configFile: path }, disk: this.disk, environment, reload });
    this.#writeConfig(path, config);
    const loaded = load(false);
    if (!loaded.ok) throw new Error(loaded.messages);
    const invalid = validate(loaded.options);
    if (invalid !== undefined) throw new Error(invalid);
    const log = new MemoryLog();
    log.configure(loaded.options.log);
    const keys = { signing: this.random.bytes(32), curve: this.random.bytes(32), signingSecret: Buffer.alloc(32, 1), curveSecret: Buffer.alloc(32, 2) };
    const configureLog = async (options: Options): Promise<void> => log.configure(options.log);
    const server = new Server({ options: loaded.options, platform: this, log, keys, reload: { load: () => load(true), configureLog } });
    return new SimServer(this, server, log, (text) => this.#writeConfig(path, text));
  }
  #servers = 0;

  #writeConfig(path: string, config: string): void {
    this.disk.writeFile(path, Buffer.from(`listen: "127.0.0.1:-1"\n${config}`), 0o600);
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  settle(): Promise<void> {
    return this.clock.settle();
  }
}

/** A running server and its log. */
export class SimServer {
  constructor(
    readonly simulation: Simulation,
    readonly server: Server,
    readonly log: MemoryLog,
    /** Replaces the configuration file; the server sees it at its next reload. */
    readonly writeConfig: (text: string) => void,
  ) {}

  /** Opens a connection and says nothing. Throws when the server does not listen any more. */
  open(conditions?: Conditions): SimClient {
    const stream = this.simulation.network.connect(this.server.clientPort, conditions);
    if (stream === undefined) throw new Error("connection refused");
    return new SimClient(stream);
  }

  /** A client that has connected and seen the answer to its first PING. `connect` are fields of CONNECT. */
  async client(connect: Readonly<Record<string, unknown>> = {}, conditions?: Conditions): Promise<SimClient> {
    const client = this.open(conditions);
    client.send(`CONNECT ${JSON.stringify({ verbose: false, protocol: 1, ...connect })}\r\nPING\r\n`);
    await this.simulation.settle();
    const answer = client.operations();
    if (answer.length !== 1 || answer[0] !== "PONG") throw new Error(`CONNECT was answered with ${JSON.stringify(answer)}`);
    return client;
  }

  /** Subscriptions of all accounts, without those of the server itself. */
  get subscriptionCount(): number {
    return this.#allSubscriptions() - this.#own;
  }

  #allSubscriptions(): number {
    return [...this.server.accounts.byName.values()].reduce((sum, account) => sum + account.interest.stats().numSubscriptions, 0);
  }

  #own = 0;

  /** What it subscribes to by itself is there now. */
  started(): this {
    this.#own = this.#allSubscriptions();
    return this;
  }

  /** Why connections ended, oldest first. */
  get closeReasons(): (string | undefined)[] {
    return this.server.connections.closed().map((link) => link.closeReason);
  }
}
