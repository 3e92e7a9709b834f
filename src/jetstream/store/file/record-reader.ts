/** Finds a record in the file of its segment. */
import { isIntact, lengthAt, RECORD_HEADER_BYTES, seqAt } from "../log/record.ts";
import type { ByteWindow } from "../log/window.ts";
import type { FileSegment } from "./file-segment.ts";
import type { StoreFolder } from "./store-folder.ts";
import type { Windows } from "./windows.ts";

export class RecordReader {
  constructor(
    private readonly folder: StoreFolder,
    private readonly windows: Windows,
  ) {}

  /** A window with the whole record of `seq` that begins at a place of a file; undefined when it cannot be read, or is not intact. */
  at(segment: FileSegment, place: number, seq: number): ByteWindow | undefined {
    const window = this.#windowAt(segment, place);
    if (window === undefined || place < window.start) return undefined;
    const at = place - window.start;
    return isIntact(window, at, window.length) && seqAt(window, at) === seq ? window : undefined;
  }

  #windowAt(segment: FileSegment, place: number): ByteWindow | undefined {
    const { windows } = this;
    try {
      let window = windows.at(segment, place);
      if (window === undefined) return undefined;
      const wanted = window.start + window.length - place >= RECORD_HEADER_BYTES ? lengthAt(window, place - window.start) : RECORD_HEADER_BYTES;
      if (wanted > segment.end - place) return undefined;
      if (window.end >= place + wanted) return window;
      window = windows.whole(segment, place, wanted);
      if (window === undefined || window.end - place < RECORD_HEADER_BYTES) return undefined;
      // Only now is it known how long a record is whose head was cut.
      const length = lengthAt(window, place - window.start);
      if (window.end >= place + length || length > segment.end - place) return window;
      return windows.whole(segment, place, length);
    } catch (error) {
      this.folder.context.log.error(`JetStream could not read ${segment.file.path}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }
}
