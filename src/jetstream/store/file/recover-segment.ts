/** Reading one segment back at the start of a store. */
import { fileSize, scanSegment, type Scan } from "./scan.ts";
import { FileSegment } from "./file-segment.ts";
import { SEGMENT_HEADER_BYTES, segmentPath } from "./format.ts";
import type { LocalIndex } from "./index-file.ts";
import type { StoreFolder } from "./store-folder.ts";

export { fileSize };

export interface RecoveredSegment {
  readonly segment: FileSegment;
  readonly local: LocalIndex;
  /** Sequences that could not be read, with the bytes they lay in. */
  readonly lost: { readonly sequences: readonly number[]; readonly bytes: number };
  /** Records at its end may be missing: there were zeros, as it was being written, or something that is no record. */
  readonly isOpenEnded: boolean;
}

/** Undefined when nothing of it can be used. Throws when no key opens it. */
export function recoverSegment(folder: StoreFolder, id: number, isLast: boolean): RecoveredSegment | undefined {
  const { disk, log } = folder.context;
  const file = folder.openFile(id);
  if (file === "unreadable") {
    const path = segmentPath(folder.path, id);
    const handle = disk.openStorage(path);
    const { sizeBytes } = handle;
    handle.close();
    if (isLast && sizeBytes <= SEGMENT_HEADER_BYTES) folder.removeSegment(id);
    else {
      log.error(`Segment ${path} of stream '${folder.title}' has no readable header: it is set aside, its messages are lost`);
      disk.rename(path, `${path}.damaged`);
    }
    return undefined;
  }
  const saved = folder.readIndex(file);
  const scan: Scan = saved === undefined ? scanSegment(file) : { local: saved, damages: [], tornBytes: 0, blankBytes: 0 };
  const { damages, tornBytes, blankBytes } = scan;
  let { local } = scan;
  let bytes = 0;
  for (const damage of damages) {
    bytes += damage.bytes;
    log.error(`Damage in ${file.path} of stream '${folder.title}' at offset ${damage.at}: ${damage.bytes} bytes, ${damage.sequences.length} messages lost`);
  }
  if (tornBytes > 0 && isLast) {
    log.warn(`Cut ${tornBytes} bytes of an unfinished write from the end of ${file.path} of stream '${folder.title}', after sequence ${local.last}`);
  } else if (tornBytes > 0) {
    log.error(`Damage in ${file.path} of stream '${folder.title}' at offset ${local.fileBytes}: ${tornBytes} bytes at its end`);
    bytes += tornBytes;
    local = { ...local, fileBytes: file.fileBytes };
  }
  if (local.fileBytes < file.fileBytes) {
    file.fileBytes = local.fileBytes;
    file.handle.truncate(local.fileBytes);
  }
  file.frames = local.frames;
  const segment = new FileSegment(local.first, file);
  segment.isCreated = true;
  segment.isSealed = true;
  segment.isIndexSaved = saved !== undefined;
  segment.isDamaged = damages.length > 0 || (tornBytes > 0 && !isLast);
  segment.end = segment.writtenEnd = segment.committedEnd = local.end;
  segment.last = local.last;
  segment.slots = local.index.count;
  segment.marksUnion = local.marksUnion;
  segment.firstSeconds = local.firstSeconds;
  segment.firstNanos = local.firstNanos;
  segment.lastSeconds = local.lastSeconds;
  segment.lastNanos = local.lastNanos;
  segment.hasNotes = local.removed.length > 0;
  const sequences = damages.flatMap((damage) => damage.sequences);
  const isOpenEnded = blankBytes > 0 || (segment.isDamaged && local.fileBytes > 0 && sequences.length === 0);
  return { segment, local, lost: { sequences, bytes }, isOpenEnded };
}
