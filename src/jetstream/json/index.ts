/** Request bodies: decoding JSON as clients of the reference know it. */
export { JsonError } from "./error.ts";
export { encodeInSteps, JsonPieces, quoteInSteps } from "./pieces.ts";
export {
  anything,
  bool,
  compressionWord,
  decodeJson,
  decodeLenient,
  duration,
  int,
  int32,
  int64,
  list,
  object,
  type ObjectOf,
  oneOf,
  oneOfAnyCase,
  oneOfOr,
  record,
  type Shape,
  type ShapeOf,
  text,
  time,
  uint64,
} from "./shapes.ts";
