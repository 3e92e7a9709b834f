/**
 * A subject that is used once, as a delivery wants it: text and bytes. The bytes lie in buffers that are used again, one per nesting of deliveries, since making
 * a buffer costs more than all the rest of a small delivery.
 */
import type { SeenSubject } from "../../routing/index.ts";
import { putByteString } from "../../util/bytes.ts";

/** Longer subjects are rare: they get a buffer of their own. */
const KEPT_BYTES_MAX = 256;

interface Kept {
  readonly buffer: Buffer;
  /** The first bytes of the buffer, by length. */
  readonly views: (Buffer | undefined)[];
}

export class SubjectBytes {
  readonly #kept: Kept[] = [];
  #depth = 0;

  /** Valid until `end`. */
  begin(subject: string): SeenSubject {
    const { buffer, views } = (this.#kept[this.#depth++] ??= { buffer: Buffer.allocUnsafeSlow(KEPT_BYTES_MAX), views: [] });
    if (subject.length > KEPT_BYTES_MAX) return { subject, bytes: Buffer.from(subject, "latin1") };
    putByteString(subject, buffer, 0);
    return { subject, bytes: (views[subject.length] ??= buffer.subarray(0, subject.length)) };
  }

  /** What was begun last is not needed any more. */
  end(): void {
    this.#depth--;
  }
}
