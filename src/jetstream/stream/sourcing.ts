/** Storing what a mirror or a source brings. Spec: streams, section 8.3 and 8.4. */
import { Message } from "../../routing/index.ts";
import { addToCounter, parseCounter, storedCounterSources } from "./counter.ts";
import { H, HEADER_NAMES, PublishHeaders, withHeaders, withoutHeaders, withValue } from "./headers.ts";
import { marksOf } from "./ingest.ts";
import { Judgement, PublishInput, Rollup } from "./judgement.ts";
import type { Stream } from "./stream.ts";
import { parseTtl } from "./ttl.ts";

/** Meant for the stream that the message was published to, and no other. */
const NOT_COPIED = [
  H.ExpectedStream,
  H.ExpectedLastSeq,
  H.ExpectedLastSubjectSeq,
  H.ExpectedLastSubjectSeqSubject,
  H.ExpectedLastMsgId,
  H.BatchId,
  H.BatchSequence,
  H.BatchCommit,
];

export class Sourcing {
  readonly #headers = new PublishHeaders();
  readonly #input = new PublishInput();
  readonly #judgement = new Judgement();

  constructor(private readonly stream: Stream) {}

  storeMirrored(seq: number, seconds: number, nanos: number, subject: string, message: Message): boolean {
    const { stream } = this;
    if (seq <= stream.lastSeq) return true;
    this.#read(message);
    const block = this.#copiedBlock(message, []);
    const headerLength = block?.length ?? message.headerLength;
    const payloadLength = message.size - message.headerLength;
    if (stream.isOverrun() || stream.ingest.refusalOfCopy(subject, headerLength, payloadLength) !== undefined) return false;
    this.skipTo(seq, seconds, nanos);
    const { allow_msg_ttl: keepsTtl } = stream.config;
    if (stream.config.retention === "interest" && !stream.consumers.hasInterest(subject)) {
      stream.skip(seconds, nanos);
      return true;
    }
    stream.ingest.placeCopy(subject, message, block, marksOf(this.#headers, keepsTtl), seconds, nanos);
    stream.trimmer.appended(seq, subject, Rollup.None);
    const ttl = keepsTtl ? (parseTtl(this.#headers.get(H.Ttl) ?? "") ?? 0) : 0;
    if (ttl > 0) stream.expiry.add(seq, (seconds + ttl) * 1000 + nanos / 1e6);
    return true;
  }

  skipTo(seq: number, seconds?: number, nanos?: number): void {
    const { stream } = this;
    if (seq <= stream.lastSeq + 1) return;
    const { state } = stream.store;
    stream.passOver(seq - 1, seconds ?? state.lastSeconds, nanos ?? state.lastNanos);
  }

  storeSourced(subject: string, sourceHeader: string, message: Message): boolean {
    const { stream } = this;
    this.#read(message);
    const headers = this.#headers;
    if (stream.isOverrun()) return false;
    const id = headers.get(H.MsgId) ?? "";
    if (id !== "" && stream.dedup.windowMs > 0 && stream.dedup.find(id, stream.stamp.ms) > 0) return true;
    const judgement = this.#judgement;
    judgement.clear();
    judgement.msgId = id;
    judgement.header = this.#copiedBlock(message, [H.StreamSource], [["Nats-Stream-Source", sourceHeader]]);
    if (stream.config.allow_msg_counter && headers.get(H.Incr) !== undefined && !this.#count(subject, sourceHeader, message)) return true;
    if (stream.config.allow_msg_ttl) judgement.ttl = parseTtl(headers.get(H.Ttl) ?? "") ?? 0;
    if (stream.config.allow_rollup_hdrs) judgement.rollup = rollupOf(headers.get(H.Rollup));
    const { buffer, bodyStart, headerLength, bodyEnd } = message;
    this.#input.set(subject, buffer, bodyStart, bodyStart + headerLength, bodyEnd);
    if (stream.ingest.refusalOf(this.#input, judgement) !== undefined) return false;
    stream.ingest.place(this.#input, judgement, 0);
    return true;
  }

  /** Adds what is new at the origin; false when there is no telling. */
  #count(subject: string, sourceHeader: string, message: Message): boolean {
    const { stream } = this;
    const [origin, , , , originSubject] = sourceHeader.split(" ");
    const sources = storedCounterSources(stream, subject);
    const value = parseCounter(message.buffer.latin1Slice(message.bodyStart + message.headerLength, message.bodyEnd));
    if (sources === undefined || value === undefined) return false;
    const known = BigInt(sources[origin]?.[originSubject] ?? "0");
    const sum = addToCounter(stream, subject, value - known, undefined);
    if (sum === undefined) return false;
    const remembered = sorted({ ...sources, [origin]: sorted({ ...sources[origin], [originSubject]: String(value) }) });
    const block = withValue(this.#judgement.header ?? "", "Nats-Incr", String(value - known));
    this.#judgement.header = withValue(block, "Nats-Counter-Sources", JSON.stringify(remembered));
    this.#judgement.body = `{"val":"${sum}"}`;
    this.#judgement.value = String(sum);
    return true;
  }

  #read(message: Message): void {
    const { bodyStart, headerLength, buffer } = message;
    if (headerLength === 0) this.#headers.clear();
    else this.#headers.read(buffer, bodyStart, bodyStart + headerLength);
  }

  /** The header block of the copy; undefined: as it came. */
  #copiedBlock(message: Message, replaced: readonly H[], added: readonly (readonly [string, string])[] = []): string | undefined {
    const dropped = [...NOT_COPIED, ...replaced].filter((place) => this.#headers.get(place) !== undefined);
    if (dropped.length === 0 && added.length === 0) return undefined;
    const names = dropped.map((place) => HEADER_NAMES[place]);
    const block = message.headerLength === 0 ? "" : message.buffer.latin1Slice(message.bodyStart, message.bodyStart + message.headerLength);
    return withHeaders(withoutHeaders(block, (name) => names.includes(name)), added);
  }
}

/** Keys in their order, as the reference writes them. */
function sorted<T>(entries: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function rollupOf(value: string | undefined): Rollup {
  const kind = value?.toLowerCase();
  if (kind === "all") return Rollup.All;
  return kind === "sub" ? Rollup.Subject : Rollup.None;
}
