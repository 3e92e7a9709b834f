/** The job that writes the index of a full segment. */
import type { SubjectTable } from "../log/subjects.ts";
import type { Job } from "./background.ts";
import type { FileSegment } from "./file-segment.ts";
import { localJob } from "./local-index.ts";
import type { StoreFolder } from "./store-folder.ts";

export interface SaveHost {
  readonly folder: StoreFolder;
  readonly segments: readonly FileSegment[];
  readonly subjectTable: SubjectTable;
  /** The floor that the log tells. */
  readonly toldFloor: number;
  onIndexSaved(segment: FileSegment): void;
}

/** An index vouches for the records, so they have to be on the device before. */
export function* saveJob(host: SaveHost, segment: FileSegment): Job {
  // A rewrite, or a purge, may have taken it out of the store since this was asked for, and between any two steps.
  const isThere = (): boolean => segment.index !== undefined && host.segments.includes(segment);
  const isWanted = (): boolean => !segment.isIndexSaved && !segment.isDamaged && segment.isSealed && segment.live > 0 && isThere();
  if (!isWanted()) return;
  yield segment.file.handle.sync();
  if (!isWanted() || segment.index === undefined) return;
  const local = yield* localJob(segment, segment.index, host.subjectTable, host.toldFloor, isThere);
  if (local === undefined || !isThere()) return;
  host.folder.writeIndex(segment.file, local);
  segment.isIndexSaved = true;
  segment.notes = [];
  host.onIndexSaved(segment);
}
