/**
 * From a published message to a stored one. Publishing is the hot path of the product: a message without headers on a stream without special features is
 * judged by a few comparisons against flags that change only with the configuration, copied once, and acknowledged from arrays. Nothing is allocated for it but the reply subject.
 *
 * What was stored in a turn is committed at the end of the turn, by the stream; acknowledgements, republished copies and deliveries follow from there.
 */
import type { Message, MessageTrace } from "../../routing/index.ts";
import { SubjectTransform } from "../../routing/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";
import type { NewMessage } from "../store/index.ts";
import type { BatchEffects } from "./batcheffects.ts";
import { examine, examineSizes } from "./examine.ts";
import { H, PublishHeaders } from "./headers.ts";
import { Judgement, Mark, PublishInput, Rollup } from "./judgement.ts";
import type { Stream } from "./stream.ts";
import { errorText, isLate, noOutcome, type Outcome } from "./tracing.ts";

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
  /** Of the message at hand, while a trace wants to know. */
  #outcome: Outcome | undefined = undefined;
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
    if (message.trace !== undefined && this.#outcome === undefined) return this.#receiveTraced(message, published, message.trace);
    const stream = this.#stream;
    const { buffer, bodyStart, headerLength } = message;
    const reply = message.replyStart === message.replyEnd ? "" : message.reply();
    if (stream.isOverrun()) {
      if (reply !== "" && !this.#noAck) stream.acks.overrun(reply, 0);
      if (this.#outcome !== undefined) this.#outcome.refusal = errorBody(10167);
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

  #receiveTraced(message: Message, published: string, trace: MessageTrace): boolean {
    const outcome = (this.#outcome = noOutcome());
    try {
      if (trace.only) this.#look(message, published, outcome);
      else this.receive(message, published);
    } finally {
      this.#outcome = undefined;
    }
    const { refusal } = outcome;
    const error = outcome.isDuplicate ? "msgid is duplicate" : refusal === undefined ? undefined : errorText(refusal, this.#headers);
    const showsSubject = error === undefined || (refusal !== undefined && isLate(refusal));
    if (outcome.isStaged) trace.withhold();
    else trace.stored(this.#stream.config.name, { ...(showsSubject ? { subject: fromByteString(this.#input.subject) } : {}), ...(outcome.hasNoInterest ? { nointerest: true } : {}), ...(error === undefined ? {} : { error }) });
    return true;
  }

  /** Whether the message would be stored, as far as its headers say; who is refused is told. */
  #look(message: Message, published: string, outcome: Outcome): void {
    const stream = this.#stream;
    const input = this.#input;
    input.set(this.transformed(published), message.buffer, message.bodyStart, message.bodyStart + message.headerLength, message.bodyEnd);
    const answerTo = this.#noAck ? "" : message.reply();
    const headers = this.#read(input);
    const isOfBatch = headers.get(H.BatchId) !== undefined;
    const refusal = isOfBatch && !stream.config.allow_atomic ? errorBody(10174) : examine(stream, input, headers, this.#judgement, undefined);
    // A time to live is only read when the message is stored.
    if (refusal !== undefined && refusal.err_code !== 10165) return this.#refuse(answerTo, refusal);
    if (this.#judgement.duplicateOf > 0) return this.#answerDuplicate(answerTo);
    outcome.isStaged = isOfBatch && headers.get(H.BatchCommit) === undefined;
    outcome.hasNoInterest = this.#checksInterest && !stream.consumers.hasInterest(input.subject);
  }

  #answerDuplicate(reply: string): void {
    const stream = this.#stream;
    stream.touch();
    if (this.#outcome !== undefined) this.#outcome.isDuplicate = true;
    if (reply !== "") stream.acks.duplicate(reply, stream.lastSeq, this.#judgement.duplicateOf);
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
    if (headers.get(H.BatchId) !== undefined) {
      const refused = stream.atomicBatches.receive(input, headers, reply);
      if (this.#outcome !== undefined) Object.assign(this.#outcome, { refusal: refused, isStaged: refused === undefined && headers.get(H.BatchCommit) === undefined });
      return;
    }
    if (!headers.any && !headers.hasStatus) return this.#receivePlain(input, reply);
    const judgement = this.#judgement;
    const refusal = examine(stream, input, headers, judgement, undefined) ?? this.refusalOf(input, judgement);
    if (refusal !== undefined) return this.#refuse(reply, refusal);
    if (judgement.duplicateOf > 0) return this.#answerDuplicate(reply);
    const seq = this.place(input, judgement, 0);
    if (reply === "") return;
    if (judgement.value === undefined) stream.acks.stored(reply, seq);
    else stream.acks.storedWith(reply, seq, `,"val":"${judgement.value}"`);
  }

  /** Whether there is room for an examined message, as things are now, or will be after the messages of its batch before it. */
  refusalOf(input: PublishInput, judgement: Judgement, batch?: BatchEffects): ApiErrorBody | undefined {
    if (judgement.duplicateOf > 0) return undefined;
    if (this.#checksInterest && !this.#stream.consumers.hasInterest(input.subject)) return undefined;
    const headerLength = judgement.header?.length ?? input.headerLength;
    const payloadLength = judgement.body?.length ?? input.payloadLength;
    return this.#refuseForRoom(input.subject, headerLength, payloadLength, judgement.rollup, batch);
  }

  #refuse(reply: string, error: ApiErrorBody): void {
    const stream = this.#stream;
    stream.touch();
    if (this.#outcome !== undefined) this.#outcome.refusal = error;
    if (reply !== "") stream.acks.refused(reply, stream.lastSeq, error);
  }

  #refusePlain(input: PublishInput): ApiErrorBody | undefined {
    if (this.#isPlain && this.#maxSize < 0) return undefined;
    if (this.#isSealed) return errorBody(10109);
    if (this.#stream.config.allow_msg_counter) return errorBody(10169);
    return examineSizes(this.#stream, input);
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
    if (this.#checksInterest && !stream.consumers.hasInterest(input.subject)) return this.#skip(judgement.msgId);
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
    if (this.#outcome !== undefined) this.#outcome.hasNoInterest = true;
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
