/**
 * Pieces of segment files that were read lately. Who reads on where a piece ends gets a larger one; who reads here and there gets little. Without frames a piece
 * is any range, with frames it is a frame.
 */
import { ByteWindow } from "../log/window.ts";
import type { FileSegment } from "./file-segment.ts";

const WINDOWS_MAX = 8;
const READ_MIN_BYTES = 8 * 1024;
const READ_MAX_BYTES = 256 * 1024;
/** A gap of so many bytes behind a piece still counts as reading on. */
const NEAR_BYTES = 4096;

class Piece extends ByteWindow {
  segment: FileSegment | undefined;
  usedAt = 0;
  readBytes = READ_MIN_BYTES;
}

export class Windows {
  #pieces: Piece[] = [];
  #latest: Piece | undefined;
  #clock = 0;

  /** A window that holds `[place, place + 8)` at least; undefined when the file does not. */
  at(segment: FileSegment, place: number): ByteWindow | undefined {
    const latest = this.#latest;
    if (latest !== undefined && latest.segment === segment && place >= latest.start && place < latest.start + latest.length) return latest;
    let oldest: Piece | undefined;
    let before: Piece | undefined;
    for (const piece of this.#pieces) {
      if (piece.segment === segment) {
        if (place >= piece.start && place < piece.end) return this.#use(piece);
        if (place >= piece.end && place - piece.end < NEAR_BYTES) before = piece;
      }
      if (oldest === undefined || piece.usedAt < oldest.usedAt) oldest = piece;
    }
    let piece = before;
    if (piece !== undefined) piece.readBytes = Math.min(READ_MAX_BYTES, piece.readBytes * 2);
    else {
      if (oldest === undefined || this.#pieces.length < WINDOWS_MAX) this.#pieces.push((piece = new Piece(0)));
      else piece = oldest;
      // The first bytes of a segment are mostly read by who comes from the one before.
      piece.readBytes = place === 0 ? READ_MAX_BYTES : READ_MIN_BYTES;
    }
    return this.#read(piece, segment, place, piece.readBytes);
  }

  /** As `at`, with at least so many bytes behind the place. */
  whole(segment: FileSegment, place: number, bytes: number): ByteWindow | undefined {
    let piece = this.#latest;
    if (piece === undefined) this.#pieces.push((piece = new Piece(0)));
    return this.#read(piece, segment, place, Math.max(bytes, piece.readBytes));
  }

  #read(piece: Piece, segment: FileSegment, place: number, bytes: number): ByteWindow | undefined {
    piece.segment = undefined;
    if (!segment.file.fill(piece, place, bytes)) return undefined;
    piece.segment = segment;
    return this.#use(piece);
  }

  #use(piece: Piece): Piece {
    piece.usedAt = ++this.#clock;
    return (this.#latest = piece);
  }

  /** A segment's bytes are others now, or its file is gone. */
  forget(segment: FileSegment): void {
    for (const piece of this.#pieces) if (piece.segment === segment) piece.segment = undefined;
  }

  clear(): void {
    this.#pieces = [];
    this.#latest = undefined;
  }
}
