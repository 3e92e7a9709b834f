/**
 * Removing folders that may be large. A folder that is to go is first renamed to a name with a leading dot, so that a crash leaves something that everyone
 * knows is half removed; then its files are removed a few per turn.
 */
import { type Disk, DiskError, type StorageDisk } from "../../../platform/index.ts";
import type { EndOfTurn, JetStreamContext } from "../../context.ts";

/** One slice. */
const SLICE_MS = 2;
const PROGRESS_MS = 2000;

/** Removes a folder and all in it, in the background. Does nothing when there is none. */
export function discardFolder(context: JetStreamContext, path: string): void {
  const slash = path.lastIndexOf("/");
  const doomed = `${path.slice(0, slash)}/.${path.slice(slash + 1)}.${context.nuid()}`;
  if (!context.disk.exists(path)) return;
  context.disk.rename(path, doomed);
  context.atEndOfTurn(new FolderRemoval(context, doomed, path));
}

/** Removes what half-done removals left in a folder. For the start: nobody is served yet. */
export function removeLeftovers(disk: StorageDisk, folder: string): void {
  for (const { name, isDirectory } of disk.list(folder)) if (isDirectory && name.startsWith(".")) disk.removeTree(`${folder}/${name}`);
}

class FolderRemoval implements EndOfTurn {
  readonly #files: string[] = [];
  #done = 0;
  readonly #startMs: number;
  #saidMs: number;

  constructor(
    private readonly context: JetStreamContext,
    private readonly path: string,
    /** As it was called before. */
    private readonly name: string,
  ) {
    this.#startMs = this.#saidMs = context.clock.monotonicMs();
    collectFiles(context.disk, path, this.#files);
  }

  flush(): void {
    const { disk, clock, log } = this.context;
    const untilMs = clock.monotonicMs() + SLICE_MS;
    try {
      for (let file = this.#files.pop(); file !== undefined; file = this.#files.pop()) {
        if (disk.exists(file)) disk.remove(file);
        this.#done++;
        if (clock.monotonicMs() >= untilMs) break;
      }
      if (this.#files.length === 0) return disk.removeTree(this.path);
    } catch (error) {
      // The next start tries again.
      if (error instanceof DiskError) return log.warn(`JetStream could not remove ${this.path}: ${error.message}`);
      throw error;
    }
    const now = clock.monotonicMs();
    if (now - this.#saidMs >= PROGRESS_MS) {
      this.#saidMs = now;
      log.info(`JetStream removes ${this.name}: ${this.#done} files done, ${this.#files.length} remaining, ${Math.round((this.#done * 1000) / (now - this.#startMs))}/s`);
    }
    this.context.atEndOfTurn(this);
  }
}

function collectFiles(disk: Disk, folder: string, files: string[]): void {
  for (const { name, isDirectory } of disk.list(folder)) {
    if (isDirectory) collectFiles(disk, `${folder}/${name}`, files);
    else files.push(`${folder}/${name}`);
  }
}
