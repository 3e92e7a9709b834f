/**
 * The folder of one stream: its metadata, and where its parts keep theirs. A stream in memory has none, and ends with the process. Spec: streams, section 6.3.
 *
 *     <stream>/stream.json      configuration and time of creation
 *     <stream>/clean            there while the stream was stopped in order
 *     <stream>/schedules.json   when schedules fire next
 *     <stream>/sources.json     where sources stand
 *     <stream>/messages/        the store
 *     <stream>/consumers/
 */
import { decodeJson, JsonError } from "../json/index.ts";
import { API_LEVEL } from "../context.ts";
import { type JetStreamAccount, OfflineError } from "../account.ts";
import type { AssetFiles } from "../seams.ts";
import { discardFolder, SEGMENT_HEADER_BYTES } from "../store/index.ts";
import type { Storage, StreamConfig } from "../wire.ts";
import { normaliseStored } from "./config.ts";
import { storedLevel } from "./metadata.ts";
import { streamConfigShape } from "./shape.ts";

const FORMAT = 1;
const FILE_MODE = 0o640;
/** What the reference server keeps a stream's configuration in; such folders are not ours. */
const FOREIGN_FILE = "meta.inf";

export class StreamFolder {
  constructor(
    private readonly account: JetStreamAccount,
    readonly path: string,
    private readonly files: AssetFiles,
    /** Whether the stream is kept at all. */
    private readonly isKept: boolean,
  ) {}

  get messages(): string {
    return `${this.path}/messages`;
  }

  get consumers(): string {
    return `${this.path}/consumers`;
  }

  get positions(): string {
    return `${this.path}/sources.json`;
  }

  get #metadata(): string {
    return `${this.path}/stream.json`;
  }

  get #cleanMark(): string {
    return `${this.path}/clean`;
  }

  get #schedules(): string {
    return `${this.path}/schedules.json`;
  }

  /** Makes the folders. Throws when there is something already that is not this stream's. */
  make(): void {
    const { disk } = this.account.context;
    if (disk.exists(`${this.path}/${FOREIGN_FILE}`)) throw new Error(foreignText(this.path));
    if (disk.exists(this.#metadata)) throw new Error(`folder ${this.path} holds a stream that could not be read back`);
    if (!this.isKept) return;
    disk.makeFolder(this.path);
    disk.makeFolder(this.consumers);
  }

  /** See `AssetFiles.make`. */
  writeConfig(config: StreamConfig, createdNs: bigint): Promise<void> | undefined {
    if (!this.isKept) return undefined;
    return this.files.make(this.#metadata, Buffer.from(JSON.stringify({ format: FORMAT, created: String(createdNs), config })));
  }

  /** What a power failure leaves of a stream that was being made: its metadata is there by name only, and nothing was published to it. */
  get isUnfinished(): boolean {
    const { disk } = this.account.context;
    if (!disk.exists(this.#metadata) || disk.readFile(this.#metadata).some((byte) => byte !== 0)) return false;
    return disk.list(this.messages).every(({ name }) => disk.readFile(`${this.messages}/${name}`).length <= SEGMENT_HEADER_BYTES);
  }

  /** Throws `OfflineError` when the stream asks for more than this server knows (which its account remembers), another error when there is no trusting the file. */
  readConfig(): ReturnType<StreamFolder["readAnyConfig"]> {
    try {
      return this.readAnyConfig();
    } catch (error) {
      if (error instanceof OfflineError) this.account.offline.set(this.path.slice(this.path.lastIndexOf("/") + 1), error.message);
      throw error;
    }
  }

  private readAnyConfig(): { readonly config: StreamConfig; readonly createdNs: bigint } {
    const bytes = this.files.read(this.#metadata);
    if (bytes === undefined) {
      if (this.account.context.disk.exists(`${this.path}/${FOREIGN_FILE}`)) throw new Error(foreignText(this.path));
      throw new Error(`${this.#metadata} is missing`);
    }
    const { created, config } = parseMetadata(bytes.toString("utf8"), this.#metadata);
    const level = storedLevel(metadataOf(config));
    if (level > API_LEVEL) throw new OfflineError(`unsupported - required API level: ${level}, current API level: ${API_LEVEL}`);
    try {
      return { config: normaliseStored(decodeJson(JSON.stringify(config), streamConfigShape, true)), createdNs: BigInt(created) };
    } catch (error) {
      if (error instanceof JsonError) throw new OfflineError(`unsupported - config error: ${error.message.replace(/^json: /, "")}`);
      throw error;
    }
  }

  /** Says that nothing was left unwritten at the last stop; only once. */
  takeCleanMark(): boolean {
    const { disk } = this.account.context;
    if (!disk.exists(this.#cleanMark)) return false;
    disk.remove(this.#cleanMark);
    return true;
  }

  leaveCleanMark(): void {
    if (this.isKept) this.account.context.disk.writeFile(this.#cleanMark, new Uint8Array(0), FILE_MODE);
  }

  readSchedules(): unknown {
    if (!this.isKept) return undefined;
    const bytes = this.files.read(this.#schedules);
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString("utf8")) as unknown);
  }

  writeSchedules(schedules: unknown): void {
    if (this.isKept) this.files.write(this.#schedules, Buffer.from(JSON.stringify(schedules)));
  }

  /** Removes the folder, in the background; what a crash leaves of it has a name that the next start removes. */
  remove(): void {
    if (this.isKept) discardFolder(this.account.context, this.path);
  }
}

function foreignText(path: string): string {
  return `folder ${path} was written by another server: back the stream up there, move the folder away, and restore the backup here`;
}

function parseMetadata(text: string, path: string): { readonly created: string; readonly config: object } {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed === "object" && parsed !== null && "created" in parsed && "config" in parsed) {
    const { created, config } = parsed;
    if (typeof created === "string" && /^\d+$/.test(created) && typeof config === "object" && config !== null) return { created, config };
  }
  throw new Error(`${path} is not the metadata of a stream`);
}

function metadataOf(config: object): Record<string, string> | undefined {
  const metadata = "metadata" in config ? config.metadata : undefined;
  return typeof metadata === "object" && metadata !== null ? (metadata as Record<string, string>) : undefined;
}

export function openFolder(account: JetStreamAccount, name: string, storage: Storage, files: AssetFiles): StreamFolder {
  return new StreamFolder(account, `${account.folder}/${name}`, files, storage === "file");
}
