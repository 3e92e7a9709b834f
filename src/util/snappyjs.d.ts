/** Types of the part of `snappyjs` that we use; the package ships none. */
declare module "snappyjs" {
  /** One raw snappy block. */
  export function compress(bytes: Uint8Array): Uint8Array;
  /** The plain bytes of a raw block; throws when it is malformed or longer than `maxLength`. */
  export function uncompress(bytes: Uint8Array, maxLength?: number): Uint8Array;
}
