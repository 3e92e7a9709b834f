/** A simulated server with streams on virtual time, and a client that asks it things. */
import type { SimClient } from "../../sim/client.ts";
import { type SimServer, Simulation } from "../../sim/simulation.ts";

const CONFIG = 'jetstream { store_dir: "/store" }';

export class StreamWorld {
  #requests = 0;

  private constructor(
    readonly simulation: Simulation,
    public server: SimServer,
    public client: SimClient,
    private readonly config: string,
  ) {}

  static async start(seed = 1, config = CONFIG): Promise<StreamWorld> {
    const simulation = new Simulation(seed);
    const server = await simulation.startWithStorage(config);
    return new StreamWorld(simulation, server, await listeningClient(server), config);
  }

  /** Stops the server in order and starts another on the same disk, `pauseMs` later. */
  async restart(pauseMs = 0, meanwhile = (): void => {}): Promise<void> {
    const stopped = this.server.server.shutdown();
    await this.simulation.settle();
    await stopped;
    meanwhile();
    await this.simulation.advance(pauseMs);
    await this.start();
  }

  /** Starts another server on the same disk. */
  async start(): Promise<void> {
    this.server = await this.simulation.startWithStorage(this.config);
    this.client = await listeningClient(this.server);
  }

  /** The payload of the answer to a request. */
  async request(subject: string, payload = "", headers: Readonly<Record<string, string>> = {}, patienceMs = 100): Promise<string> {
    const reply = `in.${++this.#requests}`;
    this.publish(subject, payload, headers, reply);
    for (let turns = 0; turns < patienceMs; turns++) {
      await this.simulation.advance(1);
      const answer = this.client.operations().find((operation) => operation.includes(` ${reply} `));
      if (answer !== undefined) return answer.slice(answer.indexOf(" | ") + 3);
    }
    throw new Error(`no answer to ${subject}`);
  }

  publish(subject: string, payload: string, headers: Readonly<Record<string, string>> = {}, reply = ""): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    if (lines.length === 0) return this.client.publish(subject, payload, reply);
    const block = `NATS/1.0\r\n${lines.join("")}\r\n`;
    this.client.send(`HPUB ${subject} ${reply} ${block.length} ${block.length + payload.length}\r\n${block}${payload}\r\n`);
  }

  async api(operation: string, body: unknown = "", patienceMs = 100): Promise<Record<string, unknown>> {
    return JSON.parse(await this.request(`$JS.API.${operation}`, body === "" ? "" : JSON.stringify(body), {}, patienceMs)) as Record<string, unknown>;
  }

  /** Sequences of a stream's subjects, by count. */
  async subjects(stream: string): Promise<Record<string, number>> {
    const { state } = (await this.api(`STREAM.INFO.${stream}`, { subjects_filter: ">" })) as { state: { subjects?: Record<string, number> } };
    return state.subjects ?? {};
  }

  /** The last message of a subject: header block and payload. */
  async last(stream: string, subject: string): Promise<{ readonly seq: number; readonly header: string; readonly payload: string }> {
    const { message } = (await this.api(`STREAM.MSG.GET.${stream}`, { last_by_subj: subject })) as { message: { seq: number; hdrs?: string; data?: string } };
    const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("latin1");
    return { seq: message.seq, header: text(message.hdrs), payload: text(message.data) };
  }
}

async function listeningClient(server: SimServer): Promise<SimClient> {
  const client = await server.client({ headers: true, no_responders: true });
  client.send("SUB in.* 1\r\n");
  return client;
}
