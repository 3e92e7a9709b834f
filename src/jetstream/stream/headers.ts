/**
 * The headers of a published message that mean something to its stream. One pass over the raw block finds all of them: a line counts when it starts with
 * exactly `Nats-` (or is `KV-Operation`) and its name is known; the first occurrence wins, blanks in front of the value are dropped. One object serves all messages of a stream.
 * Spec: streams, section 5.3.
 */

/** Places in `PublishHeaders.values`. */
export const enum H {
  MsgId,
  ExpectedStream,
  ExpectedLastSeq,
  ExpectedLastSubjectSeq,
  ExpectedLastSubjectSeqSubject,
  ExpectedLastMsgId,
  Rollup,
  Ttl,
  Incr,
  CounterSources,
  Schedule,
  ScheduleTarget,
  ScheduleTtl,
  ScheduleSource,
  ScheduleRollup,
  ScheduleTimeZone,
  Scheduler,
  ScheduleNext,
  BatchId,
  BatchSequence,
  BatchCommit,
  RequiredApiLevel,
  StreamSource,
  RequestInfo,
  TraceDest,
  MarkerReason,
  KvOperation,
}

/** Names in the order of `H`. */
export const HEADER_NAMES: readonly string[] = [
  "Nats-Msg-Id",
  "Nats-Expected-Stream",
  "Nats-Expected-Last-Sequence",
  "Nats-Expected-Last-Subject-Sequence",
  "Nats-Expected-Last-Subject-Sequence-Subject",
  "Nats-Expected-Last-Msg-Id",
  "Nats-Rollup",
  "Nats-TTL",
  "Nats-Incr",
  "Nats-Counter-Sources",
  "Nats-Schedule",
  "Nats-Schedule-Target",
  "Nats-Schedule-TTL",
  "Nats-Schedule-Source",
  "Nats-Schedule-Rollup",
  "Nats-Schedule-Time-Zone",
  "Nats-Scheduler",
  "Nats-Schedule-Next",
  "Nats-Batch-Id",
  "Nats-Batch-Sequence",
  "Nats-Batch-Commit",
  "Nats-Required-Api-Level",
  "Nats-Stream-Source",
  "Nats-Request-Info",
  "Nats-Trace-Dest",
  "Nats-Marker-Reason",
  "KV-Operation",
];

const PLACES: ReadonlyMap<string, H> = new Map(HEADER_NAMES.map((name, at) => [name, at as H]));

const LF = 10;
const BLANK = 32;
const COLON = 58;
const LETTER_K = 75;
const LETTER_N = 78;
/** `NATS/1.0` CR LF. */
const PLAIN_VERSION_LENGTH = 10;

export class PublishHeaders {
  readonly values: (string | undefined)[] = HEADER_NAMES.map(() => undefined);
  /** Whether the version line carries a status, which is not stored. */
  hasStatus = false;
  readonly #found: H[] = [];

  get(place: H): string | undefined {
    return this.values[place];
  }

  /** Whether any known header was found. */
  get any(): boolean {
    return this.#found.length > 0;
  }

  clear(): void {
    const found = this.#found;
    while (found.length > 0) {
      const place = found.pop();
      if (place !== undefined) this.values[place] = undefined;
    }
    this.hasStatus = false;
  }

  /** Reads the block in `buffer[start, end)`. */
  read(buffer: Buffer, start: number, end: number): void {
    this.clear();
    let line = endOfLine(buffer, start, end);
    this.hasStatus = line - start !== PLAIN_VERSION_LENGTH;
    while (line < end) {
      const next = endOfLine(buffer, line, end);
      const first = buffer[line];
      if (first === LETTER_N || first === LETTER_K) this.#readLine(buffer, line, next);
      line = next;
    }
  }

  #readLine(buffer: Buffer, start: number, next: number): void {
    let colon = start;
    while (colon < next && buffer[colon] !== COLON) colon++;
    if (colon === next) return;
    const place = PLACES.get(buffer.latin1Slice(start, colon));
    if (place === undefined || this.values[place] !== undefined) return;
    let value = colon + 1;
    while (value < next && buffer[value] === BLANK) value++;
    this.values[place] = buffer.latin1Slice(value, Math.max(value, next - 2));
    this.#found.push(place);
  }
}

/** Place after the next LF. */
function endOfLine(buffer: Buffer, start: number, end: number): number {
  while (start < end && buffer[start] !== LF) start++;
  return Math.min(start + 1, end);
}

/** A header of a stored message, for the places that look at one message at a time; byte strings. */
export function headerOf(buffer: Buffer, start: number, end: number, place: H): string | undefined {
  if (start === end) return undefined;
  const block = buffer.latin1Slice(start, end);
  const name = `\r\n${HEADER_NAMES[place]}:`;
  const at = block.indexOf(name);
  if (at < 0) return undefined;
  const value = at + name.length;
  return block.slice(value, block.indexOf("\r\n", value)).replace(/^ +/, "");
}

/** A block without the lines whose name `drops` says so; empty when no line is left. */
export function withoutHeaders(block: string, drops: (name: string) => boolean): string {
  if (block === "") return "";
  const lines = block.split("\r\n").slice(1).filter((line) => line !== "" && !drops(line.slice(0, line.indexOf(":"))));
  return blockOf(lines);
}

/** A block with lines added at its end, which may be the first ones. */
export function withHeaders(block: string, added: readonly (readonly [name: string, value: string])[]): string {
  const lines = block === "" ? [] : block.split("\r\n").slice(1).filter((line) => line !== "");
  return blockOf([...lines, ...added.map(([name, value]) => `${name}: ${value}`)]);
}

/** A block in which a header has this value: where it was, or as the last. */
export function withValue(block: string, name: string, value: string): string {
  const lines = block.split("\r\n").slice(1).filter((line) => line !== "");
  const at = lines.findIndex((line) => line.startsWith(`${name}:`));
  if (at < 0) return withHeaders(block, [[name, value]]);
  lines[at] = `${name}: ${value}`;
  return blockOf(lines);
}

function blockOf(lines: readonly string[]): string {
  return lines.length === 0 ? "" : `NATS/1.0\r\n${lines.join("\r\n")}\r\n\r\n`;
}
