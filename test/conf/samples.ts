/**
 * The samples of `conf/` for tests: a temporary copy with certificates made by the script that the samples name, free ports instead of the usual ones, and a
 * server started with one of them in that folder, as the samples tell their reader to do.
 */
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { runToEnd, ServerProcess } from "../support/server-process.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { Client } from "./client.ts";

const source = resolve(import.meta.dir, "../../conf");
/** Folders of `conf/` whose files are not samples themselves. */
const PARTS = new Set(["includes", "certificates"]);

/** Environment variables that samples ask for. */
export const ENVIRONMENT = { NATS_PASSWORD: "s3cret", JETSTREAM_KEY: "open-sesame-open-sesame" };

/** Every sample, as its path below `conf/`. */
export function sampleNames(folder = source): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      if (statSync(path).isDirectory()) return PARTS.has(name) ? [] : sampleNames(path);
      return /\.(conf|json)$/.test(name) ? [relative(source, path)] : [];
    });
}

/** A copy of `conf/` with certificates, in which a server can be started on free ports. */
export async function copySamples(): Promise<string> {
  const folder = temporaryFolder("samples");
  cpSync(source, folder, { recursive: true, filter: (path) => !path.endsWith("/certificates") });
  const made = await runToEnd([join(folder, "tls/make-certificates")], { milliseconds: 15_000 });
  if (made.code !== 0) throw new Error(`make-certificates: ${made.stderr}`);
  for (const name of sampleNames()) {
    const path = join(folder, name);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(/127\.0\.0\.1:(?:4222|8222|9222)\b/g, "127.0.0.1:-1"));
  }
  return folder;
}

/** A server that runs a sample, and what a check needs to look at it. */
export class Running {
  readonly #clients: Client[] = [];

  constructor(
    readonly server: ServerProcess,
    /** The copy of `conf/`, where the server was started. */
    readonly folder: string,
    /** Path of the sample's file. */
    readonly file: string,
    /** Whether this is our server, not the reference. */
    readonly own: boolean,
  ) {}

  get certificates(): string {
    return join(this.folder, "tls/certificates");
  }

  /** A connection that has not logged in yet. */
  async open(tls?: { readonly certificate?: string; readonly first?: boolean }): Promise<Client> {
    return this.keep(await Client.open(this.server.ports.nats, tls === undefined ? undefined : { ...tls, certificates: this.certificates }));
  }

  /** A connection that has logged in. Throws when it is refused. */
  async client(fields: Readonly<Record<string, unknown>> = {}): Promise<Client> {
    const client = await this.open();
    const answer = await client.login(fields);
    if (answer !== "PONG") throw new Error(`login refused: ${answer}`);
    return client;
  }

  /** What a login attempt is answered with. */
  async login(fields: Readonly<Record<string, unknown>> = {}): Promise<string> {
    return (await this.open()).login(fields);
  }

  /** Closes a client at the end. */
  keep(client: Client): Client {
    this.#clients.push(client);
    return client;
  }

  closeClients(): void {
    for (const client of this.#clients) client.close();
  }
}

/** Starts `binary` with a sample of the copy in `folder`. */
export async function startSample(binary: string, folder: string, name: string, own: boolean): Promise<Running> {
  const file = join(folder, name);
  const server = await ServerProcess.start({ binary, folder, bare: true, args: ["-c", name], environment: ENVIRONMENT });
  return new Running(server, folder, file, own);
}
