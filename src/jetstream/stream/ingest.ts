/**
 * From a published message to a stored one. Publishing is the hot path of the product: a message without headers on a stream without special features is
 * judged by a few comparisons against flags that change only with the configuration, copied once, and acknowledged from arrays. Nothing is allocated for it but the reply subject.
 *
 * What was stored in a turn is committed at the end of the turn, by the stream; acknowledgements, republished copies and deliveries follow from there.
 */
import type { Message, MessageTrace, TraceOutcome } from "../../routing/index.ts";
import { SubjectTransform } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";
import type { NewMessage } from "../store/index.ts";
import type { BatchEffects } from "./batcheffects.ts";
import { examine, examineSizes, HEADER_MAX_BYTES } from "./examine.ts";
import { H, PublishHeaders } from "./headers.ts";
import { Judgement, Mark, PublishInput, Rollup } from "./judgement.ts";
import type { Stream } from "./stream.ts";
import { DUPLICATE, isStoringError, refusedOutcome } from "./tracing.ts";

/** `$FI` at the end of a reply subject marks messages of a fast batch. */
const FAST_SUFFIX = ".$FI";
const EMPTY = Buffer.alloc(0);

/** The record handed to the store; one per stream. */
class Draft implements NewMessage {
  subject = "";
  seconds = 0;
  nanos = 0;
  headerBytes: Uint8Array = EMPTY;
  headerStart = 0;
  headerEnd = 0;
  bodyBytes: Uint8Array = EMPTY;
  bodyStart = 0;
  bodyEnd = 0;
  marks = 0;
}

export class Ingest {
  readonly #stream: Stream;
  readonly #draft = new Draft();
  readonly #input = new PublishInput();
  readonly #headers = new PublishHeaders();
  readonly #judgement = new Judgement();
  /** For messages the stream makes itself, also while another is at hand. */
  readonly #ownInput = new PublishInput();
  readonly #ownJudgement = new Judgement();
  #transform: SubjectTransform | undefined = undefined;
  // What the configuration asks for, so that plain streams skip it.
  #isSealed = false;
  #isPlain = false;
  #noAck = false;
  #checksInterest = false;
  #maxSize = -1;
  #discardsNew = false;
  #maxMsgs = -1;
  #maxBytes = -1;
  #maxPerSubject = -1;
  #isFollowed = false;
  /** What the trace of the message at hand is told, when that is not that it was stored. */
  #outcome: TraceOutcome | undefined = undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    this.configure();
  }

  /** Takes up the stream's configuration. */
  configure(): void {
    const { config } = this.#stream;
    const transform = config.subject_transform;
    this.#transform = transform === undefined || transform.dest === "" ? undefined : SubjectTransform.compile(toByteString(transform.src), toByteString(transform.dest));
    this.#isSealed = config.sealed;
    this.#noAck = config.no_ack === true;
    this.#checksInterest = config.retention === "interest";
    this.#maxSize = config.max_msg_size;
    this.#discardsNew = config.discard === "new";
    this.#maxMsgs = config.max_msgs;
    this.#maxBytes = config.max_bytes;
    this.#maxPerSubject = config.max_msgs_per_subject;
    this.#isPlain = !config.sealed && !config.allow_msg_counter;
  }

  /** A message published on one of the stream's subjects. */
  receive(message: Message, published: string): boolean {
    if (message.trace !== undefined) return this.#receiveTraced(message, published, message.trace);
    return this.#receive(message, published);
  }

  #receive(message: Message, published: string): boolean {
    const stream = this.#stream;
    const { buffer, bodyStart, headerLength } = message;
    const reply = message.replyStart === message.replyEnd ? "" : message.reply();
    if (stream.isOverrun()) {
      if (reply !== "" && !this.#noAck) stream.acks.overrun(reply, 0);
      stream.touch();
      return true;
    }
    const subject = this.#transform === undefined ? published : this.transformed(published);
    const input = this.#input;
    input.set(subject, buffer, bodyStart, bodyStart + headerLength, message.bodyEnd);
    if (reply.endsWith(FAST_SUFFIX)) {
      stream.fastBatches.receive(input, reply, headerLength === 0 ? undefined : this.#read(input));
      return true;
    }
    const answerTo = this.#noAck ? "" : reply;
    if (headerLength > 0) this.#receiveWithHeaders(input, answerTo);
    else this.#receivePlain(input, answerTo);
    return true;
  }

  /** A message that somebody follows; it may only want to be looked at. */
  #receiveTraced(message: Message, published: string, trace: MessageTrace): boolean {
    const stream = this.#stream;
    const told = trace.examined(stream.nameBytes);
    const before = stream.lastSeq;
    this.#outcome = undefined;
    this.#isFollowed = true;
    try {
      if (trace.only) this.#look(message, published);
      else this.#receive(message, published);
    } finally {
      this.#isFollowed = false;
    }
    const isStored = trace.only || stream.lastSeq > before;
    // Messages of a batch that is not complete yet are not told of.
    const outcome = this.#outcome ?? (isStored ? this.#storedOutcome(this.#input.subject) : undefined);
    if (outcome === undefined) return true;
    stream.traces.add(told, stream.lastSeq, outcome);
    stream.touch();
    return true;
  }

  #storedOutcome(subject: string): TraceOutcome {
    return this.#checksInterest && !this.#stream.consumers.hasInterest(subject) ? { subject, nointerest: true } : { subject };
  }

  /** Checks what is checked before a message goes to the store, and answers only who is refused. */
  #look(message: Message, published: string): void {
    const stream = this.#stream;
    const { buffer, bodyStart, headerLength } = message;
    const input = this.#input;
    input.set(this.transformed(published), buffer, bodyStart, bodyStart + headerLength, message.bodyEnd);
    const judgement = this.#judgement;
    judgement.clear();
    const headers = this.#read(input);
    const refusal = message.reply().endsWith(FAST_SUFFIX)
      ? stream.fastBatches.refusal()
      : (headers.get(H.BatchId) ?? "") !== ""
        ? stream.atomicBatches.refusal()
        : headers.any
          ? examine(stream, input, headers, judgement, undefined)
          : this.#refusePlain(input);
    const reply = this.#noAck ? "" : message.reply();
    if (refusal !== undefined && !isStoringError(refusal)) this.#refuse(reply, refusal);
    else if (judgement.duplicateOf > 0) this.#duplicate(reply, judgement.duplicateOf);
  }

  /** Whether the message at hand is followed by a trace. */
  get isFollowed(): boolean {
    return this.#isFollowed;
  }

  /** The message at hand was refused: its trace is told, if it has one. */
  noteRefusal(error: ApiErrorBody): void {
    if (this.#isFollowed) this.#outcome = refusedOutcome(error, this.#input.subject, this.#headers);
  }

  /** The subject that a message published on `subject` is stored under. */
  transformed(subject: string): string {
    const transform = this.#transform;
    if (transform === undefined || !transform.matches(subject)) return subject;
    return transform.apply(subject, (below) => this.#stream.account.context.random.integer(below));
  }

  #read(input: PublishInput): PublishHeaders {
    this.#headers.read(input.buffer, input.headerStart, input.bodyStart);
    return this.#headers;
  }

  #receivePlain(input: PublishInput, reply: string): void {
    const stream = this.#stream;
    const refusal = this.#refusePlain(input);
    if (refusal !== undefined) return this.#refuse(reply, refusal);
    const skips = this.#checksInterest && !stream.consumers.hasInterest(input.subject);
    if (!skips) {
      const full = this.#refuseForRoom(input.subject, input.headerLength, input.payloadLength, Rollup.None);
      if (full !== undefined) return this.#refuse(reply, full);
    }
    const seq = skips ? this.#skip("") : this.#append(input.subject, input.buffer, input.headerStart, input.bodyStart, input.buffer, input.bodyStart, input.end, 0);
    if (!skips) this.#afterPlain(seq, input.subject);
    if (reply !== "") stream.acks.stored(reply, seq);
  }

  #receiveWithHeaders(input: PublishInput, reply: string): void {
    const stream = this.#stream;
    const headers = this.#read(input);
    if ((headers.get(H.BatchId) ?? "") !== "") return stream.atomicBatches.receive(input, headers, reply);
    if (!headers.any && !headers.hasStatus) return this.#receivePlain(input, reply);
    const judgement = this.#judgement;
    const refusal = examine(stream, input, headers, judgement, undefined) ?? this.refusalOf(input, judgement);
    if (refusal !== undefined) return this.#refuse(reply, refusal);
    if (judgement.duplicateOf > 0) return this.#duplicate(reply, judgement.duplicateOf);
    const seq = this.place(input, judgement, 0);
    if (reply === "") return;
    if (judgement.value === undefined) stream.acks.stored(reply, seq);
    else stream.acks.storedWith(reply, seq, `,"val":"${judgement.value}"`);
  }

  /** Whether a message on this subject gets a sequence only, because nobody is interested in it. */
  skips(subject: string): boolean {
    return this.#checksInterest && !this.#stream.consumers.hasInterest(subject);
  }

  /** Whether account and server have room for an examined message, whatever the stream's own limits are. */
  refusalOfAccount(input: PublishInput, judgement: Judgement, batch?: BatchEffects): ApiErrorBody | undefined {
    const { store, account, config } = this.#stream;
    const size = store.sizeOf(input.subject.length, judgement.header?.length ?? input.headerLength, judgement.body?.length ?? input.payloadLength);
    const refusal = account.storeRefusal(config.storage, size + (batch?.bytes ?? 0), config.num_replicas);
    return refusal === undefined ? undefined : errorBody(refusal);
  }

  /** Whether there is room for an examined message, as things are now, or will be after the messages of its batch before it. */
  refusalOf(input: PublishInput, judgement: Judgement, batch?: BatchEffects): ApiErrorBody | undefined {
    if (judgement.duplicateOf > 0 || this.skips(input.subject)) return undefined;
    const headerLength = judgement.header?.length ?? input.headerLength;
    const payloadLength = judgement.body?.length ?? input.payloadLength;
    return this.#refuseForRoom(input.subject, headerLength, payloadLength, judgement.rollup, batch);
  }

  #duplicate(reply: string, of: number): void {
    const stream = this.#stream;
    stream.touch();
    if (this.#isFollowed) this.#outcome = DUPLICATE;
    if (reply !== "") stream.acks.duplicate(reply, stream.lastSeq, of);
  }

  #refuse(reply: string, error: ApiErrorBody): void {
    const stream = this.#stream;
    stream.touch();
    this.noteRefusal(error);
    if (reply !== "") stream.acks.refused(reply, stream.lastSeq, error);
  }

  #refusePlain(input: PublishInput): ApiErrorBody | undefined {
    if (this.#isPlain && this.#maxSize < 0 && input.headerLength <= HEADER_MAX_BYTES) return undefined;
    if (this.#isSealed) return errorBody(10109);
    return examineSizes(this.#stream, input) ?? (this.#stream.config.allow_msg_counter ? errorBody(10169) : undefined);
  }

  /** Whether account, server and the stream's own limits have room. */
  #refuseForRoom(subject: string, headerLength: number, payloadLength: number, rollup: Rollup, batch?: BatchEffects): ApiErrorBody | undefined {
    const stream = this.#stream;
    const size = stream.store.sizeOf(subject.length, headerLength, payloadLength);
    const { storage, num_replicas } = stream.config;
    const refusal = stream.account.storeRefusal(storage, size + (batch?.bytes ?? 0), num_replicas);
    if (refusal !== undefined) return errorBody(refusal);
    return this.#discardsNew ? this.#refuseNew(subject, size, rollup, batch) : undefined;
  }

  /** Discard new: the limits hold before a message is stored. A message that replaces another of its subject may come in. */
  #refuseNew(subject: string, size: number, rollup: Rollup, batch: BatchEffects | undefined): ApiErrorBody | undefined {
    const stream = this.#stream;
    const perSubject = this.#maxPerSubject;
    const present = perSubject > 0 ? stream.store.subjectState(subject) : undefined;
    const replaces = present !== undefined && present.messages + (batch?.subjects.get(subject) ?? 0) >= perSubject;
    if (replaces && stream.config.discard_new_per_subject && rollup === Rollup.None) return errorBody(10077, { err: "maximum messages per subject exceeded" });
    if (this.#maxMsgs < 0 && this.#maxBytes < 0) return undefined;
    const { state } = stream.store;
    const messages = state.messages + (batch?.count ?? 0);
    const bytes = state.bytes + (batch?.bytes ?? 0);
    if (this.#maxMsgs > 0 && messages >= this.#maxMsgs && !replaces) return errorBody(10077, { err: "maximum messages exceeded" });
    if (this.#maxBytes > 0 && bytes + size > this.#maxBytes && !(replaces && stream.storedSize(present.first) >= size)) return errorBody(10077, { err: "maximum bytes exceeded" });
    return undefined;
  }

  /** Stores an examined message. `marks` are added to its own. Returns its sequence. */
  place(input: PublishInput, judgement: Judgement, marks: number): number {
    const stream = this.#stream;
    if (this.skips(input.subject)) return this.#skip(judgement.msgId);
    const { header, body } = judgement;
    const headerBytes = header === undefined ? input.buffer : Buffer.from(header, "latin1");
    const bodyBytes = body === undefined ? input.buffer : Buffer.from(body, "latin1");
    const seq = this.#append(
      input.subject,
      headerBytes,
      header === undefined ? input.headerStart : 0,
      header === undefined ? input.bodyStart : headerBytes.length,
      bodyBytes,
      body === undefined ? input.bodyStart : 0,
      body === undefined ? input.end : bodyBytes.length,
      judgement.marks | marks,
    );
    stream.lastMsgId = judgement.msgId;
    if (judgement.msgId !== "") stream.rememberId(judgement.msgId, seq);
    if (judgement.ttl > 0) stream.expiry.add(seq, stream.stamp.ms + judgement.ttl * 1000);
    this.#after(seq, input.subject, judgement);
    return seq;
  }

  /** Stores a message of the stream's own: a marker, or what a schedule makes. Returns its sequence. */
  placeOwn(subject: string, header: string, body: Buffer, rollup: Rollup, ttl: number): number {
    const judgement = this.#ownJudgement;
    judgement.clear();
    judgement.header = header;
    judgement.rollup = rollup;
    judgement.ttl = ttl;
    this.#ownInput.set(subject, body, 0, 0, body.length);
    return this.place(this.#ownInput, judgement, 0);
  }

  #append(subject: string, headerBytes: Uint8Array, headerStart: number, headerEnd: number, bodyBytes: Uint8Array, bodyStart: number, bodyEnd: number, marks: number): number {
    const stream = this.#stream;
    const { stamp } = stream;
    stamp.next();
    return this.#appendAt(stamp.seconds, stamp.nanos, subject, headerBytes, headerStart, headerEnd, bodyBytes, bodyStart, bodyEnd, marks);
  }

  #appendAt(seconds: number, nanos: number, subject: string, headerBytes: Uint8Array, headerStart: number, headerEnd: number, bodyBytes: Uint8Array, bodyStart: number, bodyEnd: number, marks: number): number {
    const draft = this.#draft;
    draft.subject = subject;
    draft.seconds = seconds;
    draft.nanos = nanos;
    draft.headerBytes = headerBytes;
    draft.headerStart = headerStart;
    draft.headerEnd = headerEnd;
    draft.bodyBytes = bodyBytes;
    draft.bodyStart = bodyStart;
    draft.bodyEnd = bodyEnd;
    draft.marks = marks;
    return this.#stream.append(draft);
  }

  /** Nobody is interested: the message has a sequence and is acknowledged, and not stored. */
  #skip(msgId: string): number {
    const stream = this.#stream;
    const { stamp } = stream;
    stamp.next();
    const seq = stream.skip(stamp.seconds, stamp.nanos);
    stream.lastMsgId = msgId;
    if (msgId !== "") stream.rememberId(msgId, seq);
    return seq;
  }

  #afterPlain(seq: number, subject: string): void {
    const stream = this.#stream;
    if (stream.lastMsgId !== "") stream.lastMsgId = "";
    stream.trimmer.appended(seq, subject, Rollup.None);
    if (stream.schedules.isOn) stream.schedules.replaced(subject);
  }

  #after(seq: number, subject: string, judgement: Judgement): void {
    const stream = this.#stream;
    stream.trimmer.appended(seq, subject, judgement.rollup);
    if (!stream.schedules.isOn) return;
    if (judgement.isSchedule) stream.schedules.add(seq, subject);
    else stream.schedules.replaced(subject);
    if (judgement.endsSchedule !== "") stream.schedules.purge(judgement.endsSchedule, seq);
  }

  /** Stores a copy of another stream's message under its own time: its block and payload as they are, or with another header block. */
  placeCopy(subject: string, message: Message, header: string | undefined, marks: number, seconds: number, nanos: number): number {
    const { buffer, bodyStart, headerLength, bodyEnd } = message;
    const payload = bodyStart + headerLength;
    const block = header === undefined ? buffer : Buffer.from(header, "latin1");
    this.#stream.stamp.atLeast(seconds, nanos);
    return this.#appendAt(seconds, nanos, subject, block, header === undefined ? bodyStart : 0, header === undefined ? payload : block.length, buffer, payload, bodyEnd, marks);
  }

  /** As `refusalOf`, for a copy of another stream's message. */
  refusalOfCopy(subject: string, headerLength: number, payloadLength: number): ApiErrorBody | undefined {
    return this.#refuseForRoom(subject, headerLength, payloadLength, Rollup.None);
  }
}

/** Marks that are found again in a stored header block. */
export function marksOf(headers: PublishHeaders, keepsTtl: boolean): number {
  const id = headers.get(H.MsgId);
  return (id === undefined || id === "" ? 0 : Mark.MsgId) | (keepsTtl && headers.get(H.Ttl) !== undefined ? Mark.Ttl : 0);
}
