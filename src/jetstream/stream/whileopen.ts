/** Work on a stream in slices: the stream may be gone after a pause. */
import { apiError } from "../api/errors.ts";
import type { Sliced } from "../slices.ts";
import type { Stream } from "./stream.ts";

/** Throws `ApiError` (stream not found) when the stream is closed meanwhile. */
export function* whileOpen<T>(stream: Pick<Stream, "isClosed">, work: Sliced<T>): Sliced<T> {
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value;
    yield;
    if (!stream.isClosed) continue;
    work.return(undefined as never);
    throw apiError(10059);
  }
}
