/**
 * Bytes from a client to operations. The parser works in the buffer it is given: a publish is reported as a `Message` whose ranges point into
 * that buffer, and nothing is copied unless an operation is cut by the end of a read. Then its bytes are held (up to the operation's own size, growing as
 * they arrive, so that announcing a large payload costs nothing) and the operation is parsed again once it is whole. Results therefore do not
 * depend on how the input is split, except that an unfinished control line is judged at the end of each read.
 *
 * Spec: client protocol, section 4.
 */
import { HASH_START, HASH_STEP, type Message } from "../routing/index.ts";

/** Why parsing stopped for good. The caller answers and closes. */
export const enum ParseError {
  None = 0,
  /** Bytes that begin no known operation, or a payload that does not end in CR LF. */
  UnknownOperation,
  /** Wrong arguments: the connection is closed without an answer. */
  BadArguments,
  ControlLineExceeded,
  PayloadExceeded,
}

/** What the parser reports. A handler that closes the connection must set `Parser.stopped`. */
export interface OperationHandler {
  /** A whole PUB or HPUB. `subjectHash` is `hashSubject` of the published subject. */
  onPublish(message: Message, subjectHash: number): void;
  /** Arguments are byte strings; `queue` empty for a plain subscription. */
  onSubscribe(subject: string, queue: string, sid: string): void;
  /** `max` is 0 when absent or not a positive number. */
  onUnsubscribe(sid: string, max: number): void;
  /** The JSON text's bytes. */
  onConnect(json: Buffer): void;
  onInfo(json: Buffer): void;
  onPing(): void;
  /** Whether this turn has parsed enough, so that the rest of a long read should wait. */
  isTurnSpent(): boolean;
  onPong(): void;
  onOk(): void;
  onError(text: string): void;
  /** Called with the first byte of an operation while `Parser.expectConnect` is set; says what becomes of that operation. */
  onFirstOperation(firstByte: number): FirstOperation;
}

export const enum FirstOperation {
  Go,
  /** The handler suspended the parser; the operation is parsed again later. */
  Wait,
  /** The handler closed the connection. */
  Refuse,
}

const NEED_MORE = -1;
const FAILED = -2;
const WAIT = -3;

const LF = 10;
const CR = 13;
const TAB = 9;
const BLANK = 32;

const enum Verb {
  Pub,
  Hpub,
  Sub,
  Unsub,
  Connect,
  Info,
  Ping,
  Pong,
  Ok,
  Err,
}

/** Letters in lower case, whether a blank must follow, and whether what follows up to the line's end is ignored. */
const VERBS: readonly { readonly text: string; readonly verb: Verb; readonly arguments: "after-blank" | "free" | "ignored" }[] = [
  { text: "pub", verb: Verb.Pub, arguments: "after-blank" },
  { text: "hpub", verb: Verb.Hpub, arguments: "after-blank" },
  { text: "sub", verb: Verb.Sub, arguments: "after-blank" },
  { text: "unsub", verb: Verb.Unsub, arguments: "after-blank" },
  { text: "connect", verb: Verb.Connect, arguments: "free" },
  { text: "info", verb: Verb.Info, arguments: "free" },
  { text: "ping", verb: Verb.Ping, arguments: "ignored" },
  { text: "pong", verb: Verb.Pong, arguments: "ignored" },
  { text: "+ok", verb: Verb.Ok, arguments: "ignored" },
  { text: "-err", verb: Verb.Err, arguments: "after-blank" },
];

/** First capacity of the buffer that holds a cut operation; it grows with the bytes that really arrive. */
const HELD_MIN = 4096;

export class Parser {
  /** Largest argument part of a control line, bytes. */
  maxControlLine: number;
  /** Largest header plus payload, bytes; negative means no limit. */
  maxPayload: number;
  /** Whether HPUB was negotiated. */
  headers = false;
  /** Until CONNECT was accepted: every operation is announced to `onFirstOperation` first. */
  expectConnect = false;
  /** Set by a handler that closed the connection: the rest of the input is ignored. */
  stopped = false;
  /**
   * Set by a handler that must finish something (authentication) first: parsing stops after the current operation; cleared by the
   * owner, who then calls `proceed`.
   */
  suspended = false;
  /** Size arguments of the publish that failed with `PayloadExceeded`. */
  refusedSize = 0;
  /** Whether `message` holds that publish up to its header block, which had arrived with the control line (for tracing). */
  refusedWithHeaders = false;
  /** Where in its read the input went wrong, and the bytes from there (for the log). */
  failedAt = 0;
  failedText = "";

  readonly #handler: OperationHandler;
  readonly #message: Message;
  #error = ParseError.None;

  /** The start of a cut operation. */
  #held: Buffer | undefined = undefined;
  #heldLength = 0;
  /** Bytes the cut operation takes in all, once its control line is known; 0 before. */
  #heldTarget = 0;
  /** Set by `#operation` when it returns NEED_MORE: the operation's whole size, or 0 when its line is not whole. */
  #needed = 0;
  /** Set with `#needed`: how much of the cut operation is worth holding; 0 means all. What follows PING is ignored and may be endless. */
  #keep = 0;
  /** Input that waits for `proceed`. */
  #waiting: Buffer | undefined = undefined;

  constructor(handler: OperationHandler, message: Message, maxControlLine: number, maxPayload: number) {
    this.#handler = handler;
    this.#message = message;
    this.maxControlLine = maxControlLine;
    this.maxPayload = maxPayload;
  }

  /** Bytes held of a cut operation. */
  get heldBytes(): number {
    return this.#heldLength;
  }

  /**
   * Parses one read, at most `OPERATIONS_PER_TURN` of it and less when the turn is spent; what is left (`hasWaiting`) is for `proceed`. Returns the error that ends the connection, or
   * `None`.
   */
  parse(bytes: Buffer): ParseError {
    if (this.#waiting !== undefined) {
      this.#waiting = Buffer.concat([this.#waiting, bytes]);
      return ParseError.None;
    }
    return this.#parse(bytes, false);
  }

  /** Input has arrived that is not parsed yet: the parser was suspended, or a turn's share was done. */
  get hasWaiting(): boolean {
    return this.#waiting !== undefined;
  }

  /** Goes on with what waits. */
  proceed(): ParseError {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting === undefined ? ParseError.None : this.#parse(waiting, true);
  }

  /** `isOwn`: the bytes stay valid after the call. */
  #parse(bytes: Buffer, isOwn: boolean): ParseError {
    const end = bytes.length;
    let at = 0;
    if (this.suspended) {
      this.#keepWaiting(bytes, 0, isOwn);
      return ParseError.None;
    }
    if (this.#heldLength > 0) {
      at = this.#resume(bytes);
      if (at === FAILED) return this.#failedIn(this.#held ?? bytes, 0, this.#heldLength);
      if (at === NEED_MORE) return ParseError.None;
    }
    let left = OPERATIONS_PER_TURN;
    while (at < end && !this.stopped && !this.suspended) {
      if ((left & (OPERATIONS_PER_LOOK - 1)) === 0 && this.#isShareDone(left, end, isOwn)) break;
      left--;
      const next = this.#operation(bytes, at, end);
      if (next >= 0) {
        at = next;
        continue;
      }
      if (next === FAILED) return this.#failedIn(bytes, at, end);
      if (next === WAIT) break;
      this.#hold(bytes, at, this.#keep > 0 ? at + this.#keep : end, this.#needed);
      return ParseError.None;
    }
    if (at < end && !this.stopped) this.#keepWaiting(bytes, at, isOwn);
    return ParseError.None;
  }

  /** What waited goes on in any case, and a small read is parsed at once: it costs less than to keep it. */
  #isShareDone(left: number, bytes: number, isOwn: boolean): boolean {
    if (left === 0) return true;
    if (bytes <= SMALL_READ_BYTES || (isOwn && left === OPERATIONS_PER_TURN)) return false;
    return this.#handler.isTurnSpent();
  }

  #keepWaiting(bytes: Buffer, at: number, isOwn: boolean): void {
    const rest = bytes.subarray(at);
    this.#waiting = isOwn ? rest : Buffer.from(rest);
  }

  /** Gives back memory kept for cut operations, when nothing is held. */
  trim(): void {
    if (this.#heldLength === 0) this.#held = undefined;
  }

  /** Completes the held operation from a new read; returns where the next one begins, NEED_MORE or FAILED. */
  #resume(bytes: Buffer): number {
    const end = bytes.length;
    let at = 0;
    for (;;) {
      let take: number;
      if (this.#heldTarget > 0) {
        take = Math.min(this.#heldTarget - this.#heldLength, end - at);
      } else {
        const lineEnd = bytes.indexOf(LF, at);
        take = lineEnd === -1 ? end - at : lineEnd + 1 - at;
      }
      this.#hold(bytes, at, at + take, this.#heldTarget);
      at += take;
      if (this.#heldTarget > 0 && this.#heldLength < this.#heldTarget) {
        // A wrong terminator is known as soon as its first byte is there.
        return this.#heldLength === this.#heldTarget - 1 && (this.#held as Buffer)[this.#heldLength - 1] !== CR ? this.#fail(ParseError.UnknownOperation) : NEED_MORE;
      }
      const held = this.#held as Buffer;
      const length = this.#heldLength;
      const next = this.#operation(held, 0, length);
      if (next === FAILED) return FAILED;
      if (next >= 0) {
        this.#heldLength = 0;
        this.#heldTarget = 0;
        if (held.length > HELD_KEEP) this.#release(held);
        return at;
      }
      this.#heldTarget = this.#needed;
      if (this.#keep > 0) this.#heldLength = this.#keep;
      if (at >= end) return NEED_MORE;
    }
  }

  #hold(bytes: Buffer, start: number, end: number, target: number): void {
    const length = this.#heldLength + (end - start);
    let held = this.#held;
    if (held === undefined || held.length < length) {
      const grown = takeSpare(length, target) ?? Buffer.allocUnsafeSlow(capacityFor(held?.length ?? 0, length, target));
      if (held !== undefined) held.copy(grown, 0, 0, this.#heldLength);
      this.#held = held = grown;
    }
    bytes.copy(held, this.#heldLength, start, end);
    this.#heldLength = length;
    this.#heldTarget = target;
  }

  #release(held: Buffer): void {
    this.#held = undefined;
    if (held.length <= SPARE_MAX && held.length > (spare?.length ?? 0)) spare = held;
  }

  #failedIn(buffer: Buffer, at: number, end: number): ParseError {
    this.failedAt = at;
    this.failedText = buffer.latin1Slice(at, Math.min(end, at + FAILED_TEXT_BYTES));
    return this.#error;
  }

  #fail(error: ParseError): number {
    this.#error = error;
    return FAILED;
  }

  #incomplete(needed: number, keep = 0): number {
    this.#needed = needed;
    this.#keep = keep;
    return NEED_MORE;
  }

  /** Parses one operation at `at`; returns the place after it, NEED_MORE (see `#needed`) or FAILED. */
  #operation(buffer: Buffer, at: number, end: number): number {
    if (this.expectConnect) {
      const verdict = this.#handler.onFirstOperation(buffer[at]);
      if (verdict !== FirstOperation.Go) return verdict === FirstOperation.Wait ? WAIT : end;
    }
    // PUB and HPUB are nearly everything that arrives.
    if (end - at > 5) {
      const first = buffer[at] | 0x20;
      if (first === 0x70) {
        if ((buffer[at + 1] | 0x20) === 0x75 && (buffer[at + 2] | 0x20) === 0x62 && isBlank(buffer[at + 3])) return this.#publish(buffer, at, at + 4, end);
      } else if (first === 0x68) {
        if ((buffer[at + 1] | 0x20) === 0x70 && (buffer[at + 2] | 0x20) === 0x75 && (buffer[at + 3] | 0x20) === 0x62 && isBlank(buffer[at + 4])) return this.#publishWithHeaders(buffer, at, at + 5, end);
      }
    }
    return this.#otherOperation(buffer, at, end);
  }

  /** PUB subject [reply] size. One pass: the subject is hashed while its end is looked for. */
  #publish(buffer: Buffer, start: number, at: number, end: number): number {
    const message = this.#message;
    while (at < end && isBlank(buffer[at])) at++;
    const argumentsStart = at;

    let hash = HASH_START;
    const subjectStart = at;
    let code = 0;
    while (at < end && (code = buffer[at]) > BLANK) {
      hash = Math.imul(hash ^ code, HASH_STEP);
      at++;
    }
    const subjectEnd = at;
    if (at >= end || code !== BLANK || at === subjectStart) return this.#publishSlowly(buffer, start, argumentsStart, end, false);

    // The usual form: one blank between arguments and CR LF at the end.
    at++;
    let tokenStart = at;
    let size = 0;
    while (at < end && (code = buffer[at] - 48) >= 0 && code <= 9) {
      size = size * 10 + code;
      at++;
    }
    let replyStart = 0;
    let replyEnd = 0;
    if (at < end && buffer[at] > BLANK) {
      replyStart = tokenStart;
      while (at < end && buffer[at] > BLANK) at++;
      replyEnd = at;
      if (at >= end || buffer[at] !== BLANK) return this.#publishSlowly(buffer, start, argumentsStart, end, false);
      at++;
      tokenStart = at;
      size = 0;
      while (at < end && (code = buffer[at] - 48) >= 0 && code <= 9) {
        size = size * 10 + code;
        at++;
      }
    }
    const digits = at - tokenStart;
    if (at + 1 >= end || buffer[at] !== CR || buffer[at + 1] !== LF || digits === 0 || digits > 9) return this.#publishSlowly(buffer, start, argumentsStart, end, false);
    if (at - argumentsStart > this.maxControlLine) return this.#fail(ParseError.ControlLineExceeded);
    if (size > this.maxPayload && this.maxPayload >= 0) return this.#payloadExceeded(size);

    const bodyStart = at + 2;
    const bodyEnd = bodyStart + size;
    if (bodyEnd + 2 > end) return this.#cutBody(buffer, start, bodyEnd, end);
    if (buffer[bodyEnd] !== CR || buffer[bodyEnd + 1] !== LF) return this.#fail(ParseError.UnknownOperation);

    message.buffer = buffer;
    message.subjectStart = subjectStart;
    message.subjectEnd = subjectEnd;
    message.replyStart = replyStart;
    message.replyEnd = replyEnd;
    message.sizesStart = tokenStart;
    message.sizesEnd = at;
    message.bodyStart = bodyStart;
    message.bodyEnd = bodyEnd;
    message.headerLength = 0;
    message.tailStart = subjectEnd;
    this.#handler.onPublish(message, hash);
    return bodyEnd + 2;
  }

  #publishWithHeaders(buffer: Buffer, start: number, at: number, end: number): number {
    while (at < end && isBlank(buffer[at])) at++;
    return this.#publishSlowly(buffer, start, at, end, true);
  }

  /** PUB and HPUB in any legal form, and their errors. `at` is the first byte of the arguments. */
  #publishSlowly(buffer: Buffer, start: number, at: number, end: number, withHeaders: boolean): number {
    const lineFeed = buffer.indexOf(LF, at);
    if (lineFeed === -1 || lineFeed >= end) return this.#cutLine(at, end);
    const lineEnd = lineFeed > at && buffer[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    if (lineEnd - at > this.maxControlLine) return this.#fail(ParseError.ControlLineExceeded);
    if (withHeaders && !this.headers) return this.#fail(ParseError.BadArguments);

    const bounds = splitArguments(buffer, at, lineEnd, false);
    const count = bounds.length / 2;
    const sizes = withHeaders ? 2 : 1;
    if (count !== 1 + sizes && count !== 2 + sizes) return this.#fail(ParseError.BadArguments);
    const hasReply = count === 2 + sizes;
    const sizeAt = (count - 1) * 2;
    const total = parseSize(buffer, bounds[sizeAt], bounds[sizeAt + 1]);
    const headerLength = withHeaders ? parseSize(buffer, bounds[sizeAt - 2], bounds[sizeAt - 1]) : 0;
    if (total < 0 || headerLength < 0 || headerLength > total) return this.#fail(ParseError.BadArguments);
    const bodyStart = lineFeed + 1;
    const bodyEnd = bodyStart + total;
    const tooLarge = total > this.maxPayload && this.maxPayload >= 0;
    this.refusedWithHeaders = tooLarge && headerLength > 0 && bodyStart + headerLength <= end;
    if (tooLarge && !this.refusedWithHeaders) return this.#payloadExceeded(total);
    if (!tooLarge && bodyEnd + 2 > end) return this.#cutBody(buffer, start, bodyEnd, end);
    if (!tooLarge && (buffer[bodyEnd] !== CR || buffer[bodyEnd + 1] !== LF)) return this.#fail(ParseError.UnknownOperation);

    const message = this.#message;
    message.buffer = buffer;
    message.subjectStart = bounds[0];
    message.subjectEnd = bounds[1];
    message.replyStart = hasReply ? bounds[2] : 0;
    message.replyEnd = hasReply ? bounds[3] : 0;
    message.sizesStart = bounds[sizeAt - (withHeaders ? 2 : 0)];
    message.sizesEnd = bounds[sizeAt + 1];
    message.bodyStart = bodyStart;
    message.bodyEnd = bodyEnd;
    message.headerLength = headerLength;
    message.tailStart = isCanonical(buffer, bounds, lineFeed, lineEnd) && (!withHeaders || headerLength > 0) ? bounds[1] : -1;

    if (tooLarge) return this.#payloadExceeded(total);
    let hash = HASH_START;
    for (let i = bounds[0]; i < bounds[1]; i++) hash = Math.imul(hash ^ buffer[i], HASH_STEP);
    this.#handler.onPublish(message, hash);
    return bodyEnd + 2;
  }

  #payloadExceeded(size: number): number {
    this.refusedSize = size;
    return this.#fail(ParseError.PayloadExceeded);
  }

  #cutLine(argumentsStart: number, end: number): number {
    if (end - argumentsStart > this.maxControlLine) return this.#fail(ParseError.ControlLineExceeded);
    return this.#incomplete(0);
  }

  #cutBody(buffer: Buffer, start: number, bodyEnd: number, end: number): number {
    if (bodyEnd < end && buffer[bodyEnd] !== CR) return this.#fail(ParseError.UnknownOperation);
    return this.#incomplete(bodyEnd + 2 - start);
  }

  /** Everything but a plain PUB or HPUB: not hot. */
  #otherOperation(buffer: Buffer, start: number, end: number): number {
    const known = findVerb(buffer, start, end);
    if (known === undefined) return this.#fail(ParseError.UnknownOperation);
    if (known === "incomplete") return this.#incomplete(0);
    let at = start + known.text.length;
    if (known.arguments === "after-blank") {
      if (at >= end) return this.#incomplete(0);
      if (!isBlank(buffer[at])) return this.#fail(ParseError.UnknownOperation);
    }
    if (known.arguments !== "ignored") while (at < end && isBlank(buffer[at])) at++;
    if (known.verb === Verb.Pub || known.verb === Verb.Hpub) return this.#publishSlowly(buffer, start, at, end, known.verb === Verb.Hpub);

    const lineFeed = buffer.indexOf(LF, at);
    if (lineFeed === -1 || lineFeed >= end) {
      return known.arguments === "ignored" ? this.#incomplete(0, known.text.length) : this.#cutLine(at, end);
    }
    const lineEnd = lineFeed > at && buffer[lineFeed - 1] === CR ? lineFeed - 1 : lineFeed;
    if (known.arguments !== "ignored" && lineEnd - at > this.maxControlLine) return this.#fail(ParseError.ControlLineExceeded);
    switch (known.verb) {
      case Verb.Ping:
        this.#handler.onPing();
        break;
      case Verb.Pong:
        this.#handler.onPong();
        break;
      case Verb.Ok:
        this.#handler.onOk();
        break;
      case Verb.Connect:
        this.#handler.onConnect(buffer.subarray(at, lineEnd));
        break;
      case Verb.Info:
        this.#handler.onInfo(buffer.subarray(at, lineEnd));
        break;
      case Verb.Err:
        this.#handler.onError(buffer.latin1Slice(at, lineEnd));
        break;
      case Verb.Sub:
        return this.#subscribe(buffer, at, lineEnd) ? lineFeed + 1 : this.#fail(ParseError.BadArguments);
      case Verb.Unsub:
        return this.#unsubscribe(buffer, at, lineEnd) ? lineFeed + 1 : this.#fail(ParseError.BadArguments);
    }
    return lineFeed + 1;
  }

  #subscribe(buffer: Buffer, at: number, lineEnd: number): boolean {
    const bounds = splitArguments(buffer, at, lineEnd, true);
    if (bounds.length !== 4 && bounds.length !== 6) return false;
    const hasQueue = bounds.length === 6;
    const sidAt = hasQueue ? 4 : 2;
    this.#handler.onSubscribe(buffer.latin1Slice(bounds[0], bounds[1]), hasQueue ? buffer.latin1Slice(bounds[2], bounds[3]) : "", buffer.latin1Slice(bounds[sidAt], bounds[sidAt + 1]));
    return true;
  }

  #unsubscribe(buffer: Buffer, at: number, lineEnd: number): boolean {
    const bounds = splitArguments(buffer, at, lineEnd, true);
    if (bounds.length !== 2 && bounds.length !== 4) return false;
    const max = bounds.length === 4 ? Math.max(0, parseSize(buffer, bounds[2], bounds[3])) : 0;
    this.#handler.onUnsubscribe(buffer.latin1Slice(bounds[0], bounds[1]), max);
    return true;
  }
}

/** Operations handled before others get their turn: about a quarter of a millisecond of the smallest messages to one receiver. */
const OPERATIONS_PER_TURN = 1024;
/** Operations between looks at the clock; a power of two. */
const OPERATIONS_PER_LOOK = 64;
const SMALL_READ_BYTES = 4096;

/** How much of bad input is shown in the log. */
const FAILED_TEXT_BYTES = 32;

/** A held buffer larger than this is given back as soon as its operation is done, so that one large message does not cost memory for ever. */
const HELD_KEEP = 64 * 1024;

/**
 * The largest of those, if it is no larger than this, waits for whoever needs one next, of all connections: large messages come in rows, and fresh memory costs twice
 * what the copy into it does.
 */
const SPARE_MAX = 1024 * 1024;
let spare: Buffer | undefined;

/** The spare buffer, for `length` bytes of an operation of `target` bytes in all (0: not known yet), if it is large enough. */
function takeSpare(length: number, target: number): Buffer | undefined {
  const taken = spare;
  if (taken === undefined || length <= HELD_MIN || taken.length < Math.max(length, target)) return undefined;
  spare = undefined;
  return taken;
}

function capacityFor(held: number, length: number, target: number): number {
  let capacity = Math.max(held, HELD_MIN);
  while (capacity < length) capacity *= 2;
  return target > 0 && capacity > target ? Math.max(target, length) : capacity;
}

function isBlank(code: number): boolean {
  return code === BLANK || code === TAB;
}

/** The verb at `at`; "incomplete" while the bytes at hand could still become one. */
function findVerb(buffer: Buffer, at: number, end: number): (typeof VERBS)[number] | "incomplete" | undefined {
  for (const candidate of VERBS) {
    const text = candidate.text;
    let i = 0;
    while (i < text.length && at + i < end && lowerCase(buffer[at + i]) === text.charCodeAt(i)) i++;
    if (i === text.length) return candidate;
    if (at + i === end) return "incomplete";
  }
  return undefined;
}

function lowerCase(code: number): number {
  return code >= 65 && code <= 90 ? code + 32 : code;
}

/** Start and end of each argument in `[at, end)`, split at blanks (and at CR, LF for `lines`). */
function splitArguments(buffer: Buffer, at: number, end: number, lines: boolean): number[] {
  const bounds: number[] = [];
  let start = -1;
  for (; at < end; at++) {
    const code = buffer[at];
    if (code === BLANK || code === TAB || (lines && (code === CR || code === LF))) {
      if (start !== -1) bounds.push(start, at);
      start = -1;
    } else if (start === -1) start = at;
  }
  if (start !== -1) bounds.push(start, end);
  return bounds;
}

/** 1 to 9 digits; anything else is -1. */
function parseSize(buffer: Buffer, start: number, end: number): number {
  if (end === start || end - start > 9) return -1;
  let value = 0;
  for (; start < end; start++) {
    const digit = buffer[start] - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Whether everything after the subject is already as a delivery wants it: single blanks, then CR LF. */
function isCanonical(buffer: Buffer, bounds: readonly number[], lineFeed: number, lineEnd: number): boolean {
  if (lineEnd !== lineFeed - 1 || bounds[bounds.length - 1] !== lineEnd) return false;
  for (let i = 2; i < bounds.length; i += 2) {
    if (bounds[i] !== bounds[i - 1] + 1 || buffer[bounds[i] - 1] !== BLANK) return false;
  }
  return true;
}
