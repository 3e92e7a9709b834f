/**
 * What sourcing calls things: consumers at the origin, the identity of a source within its stream, and the header that tells where a message came from. Other
 * servers and earlier versions read and write these too. Spec: streams, sections 8.2 and 8.4.
 */
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { sha256 } from "../../util/hash.ts";
import type { StreamSource } from "../wire.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HASH_LENGTH = 8;
const ALL = ">";
/** Between several filters or destinations. */
const JOINT = "\f";

/** Eight letters and digits that stand for a text. */
export function shortHash(text: string): string {
  let out = "";
  for (const byte of sha256(text).subarray(0, HASH_LENGTH)) out += DIGITS.charAt(byte % DIGITS.length);
  return out;
}

export interface Sink {
  readonly stream: string;
  readonly account: string;
  /** Empty: none. */
  readonly domain: string;
}

function sinkHash({ stream, account, domain }: Sink): string {
  return shortHash(`${stream} ${account}${domain === "" ? "" : ` ${domain}`}`);
}

export function mirrorConsumerName(sink: Sink): string {
  return `JS_MIRROR_${sinkHash(sink)}`;
}

/** `isRepeated`: the stream has several sources of this origin's name. */
export function sourceConsumerName(sink: Sink, source: StreamSource, isRepeated: boolean): string {
  const hash = sinkHash(sink);
  return `JS_SRC_${shortHash(isRepeated ? `${hash} ${sourceIndex(source)}` : hash)}`;
}

/** The origin as headers name it: where it is reached through another prefix, or by a consumer of its own, that is part of the name. */
function originName({ name, external, consumer }: StreamSource): string {
  return `${name}${external === undefined ? "" : `:${shortHash(external.api)}`}${consumer === undefined ? "" : `:C=${shortHash(consumer.name)}`}`;
}

/** Identity of a source within its stream: `<origin> <filters> <destinations>`. */
export function sourceIndex(source: StreamSource): string {
  const { filter_subject = "", subject_transforms: transforms = [] } = source;
  if (transforms.length === 0) return `${originName(source)} ${filter_subject === "" ? ALL : filter_subject} ${ALL}`;
  const filters = transforms.map(({ src }) => (src === "" ? ALL : src)).join(JOINT);
  const destinations = transforms.map(({ dest }) => (dest === "" ? ALL : dest)).join(JOINT);
  return `${originName(source)} ${filters} ${destinations}`;
}

/** Builds values of `Nats-Stream-Source` for one source; byte strings. */
export class SourceHeader {
  readonly #origin: string;
  readonly #rules: string;

  constructor(source: StreamSource) {
    const index = toByteString(sourceIndex(source));
    const blank = index.indexOf(" ");
    this.#origin = index.slice(0, blank);
    this.#rules = index.slice(blank);
  }

  /** `subject` is the original one; `identity` that of the origin, empty when it told none. */
  value(seq: number, subject: string, identity: string): string {
    return `${this.#origin} ${seq}${this.#rules} ${subject}${identity === "" ? "" : ` ${identity}`}`;
  }
}

export interface SourcePosition {
  /** Sequence at the origin. */
  readonly seq: number;
  /** Of the origin; empty: not known. */
  readonly identity: string;
}

export interface ParsedSourceHeader extends SourcePosition {
  /** `sourceIndex`, or in the oldest forms only the name of the stream. */
  readonly index: string;
  readonly isNameOnly: boolean;
}

/** Reads a header value (byte string) in the present form or one of the earlier ones: `<stream> <seq>`, or an ack subject. */
export function parseSourceHeader(value: string): ParsedSourceHeader | undefined {
  if (value.startsWith("$JS.ACK.")) {
    const tokens = value.split(".");
    const [stream = "", seq] = tokens.length >= 11 ? [tokens[4], tokens[7]] : [tokens[2], tokens[5]];
    return positioned(fromByteString(stream), seq, "", true);
  }
  const [origin, seq, filters, destinations, , identity = ""] = value.split(" ");
  if (filters === undefined || destinations === undefined) return positioned(fromByteString(origin), seq, "", true);
  return positioned(fromByteString(`${origin} ${filters} ${destinations}`), seq, identity, false);
}

function positioned(index: string, digits: string | undefined, identity: string, isNameOnly: boolean): ParsedSourceHeader | undefined {
  const seq = Number(digits);
  return digits !== undefined && /^\d+$/.test(digits) ? { index, seq, identity, isNameOnly } : undefined;
}
