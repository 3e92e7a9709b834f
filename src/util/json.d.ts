/** In the runtime, not yet in the compiler's library. */
interface JSON {
  /** A value that stringifies as exactly this text: how integers above 2^53 are written. */
  rawJSON(text: string): unknown;
}
