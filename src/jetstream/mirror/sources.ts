/**
 * Sources: messages of several streams under sequences of this one, each with a header that tells where it came from. Where each source stands is kept in a
 * small file, with the place in the stream up to which that is true; what was stored after that place tells the rest (`positions.ts`). Spec: streams, section 8.4.
 */
import type { Timer } from "../../platform/index.ts";
import type { Message } from "../../routing/index.ts";
import { errorBody } from "../api/errors.ts";
import type { Replenisher, SourcedStream } from "../seams.ts";
import { timestamp } from "../../util/timestamp.ts";
import type { SourceInfo, StreamConfig, StreamSource } from "../wire.ts";
import { Feed, type FeedSink, type FeedStart } from "./feed.ts";
import { infoOf } from "./info.ts";
import { SourceHeader, type SourcePosition, sourceConsumerName, sourceIndex } from "./names.ts";
import { PositionSearch, writePositions } from "./positions.ts";
import { SourceSubjects } from "./subjects.ts";

const WRONG_POLICY = 10217;
/** How much of the stream a restart after a crash may have to look through. */
const SAVE_EVERY_MS = 10_000;
const UNKNOWN: SourcePosition = { seq: 0, identity: "" };

class SourceSink implements FeedSink {
  readonly kind = "source";
  readonly policyError = errorBody(WRONG_POLICY);
  readonly consumerName: string;
  readonly #subjects: SourceSubjects;
  readonly #header: SourceHeader;
  position: SourcePosition = UNKNOWN;
  #seq = 0;
  /** The origin was made anew: all of it is to come. */
  #anew = false;

  constructor(
    private readonly stream: SourcedStream,
    readonly source: StreamSource,
    isRepeated: boolean,
  ) {
    const { account, config } = stream;
    const { domain } = account.context.settings;
    this.consumerName = sourceConsumerName({ stream: config.name, account: account.name, domain }, source, isRepeated);
    this.#subjects = new SourceSubjects(source.subject_transforms, account.context.random);
    this.#header = new SourceHeader(source);
  }

  get account(): SourcedStream["account"] {
    return this.stream.account;
  }

  get streamName(): string {
    return this.stream.config.name;
  }

  get store(): SourcedStream["store"] {
    return this.stream.store;
  }

  /** Last sequence taken from the origin; 0: none. */
  get seq(): number {
    return this.#seq;
  }

  get identity(): string {
    return this.position.identity;
  }

  place(position: SourcePosition): void {
    this.position = position;
    this.#seq = position.seq;
  }

  start(): FeedStart {
    if (this.#seq > 0) return { deliver_policy: "by_start_sequence", opt_start_seq: this.#seq + 1 };
    if (this.#anew) return { deliver_policy: "all" };
    const { opt_start_seq, opt_start_time } = this.source;
    if (opt_start_seq !== undefined && opt_start_seq > 0) return { deliver_policy: "by_start_sequence", opt_start_seq };
    const { state } = this.store;
    const had = state.lastSeconds > 0 ? BigInt(state.lastSeconds) * 1_000_000_000n + BigInt(state.lastNanos) : 0n;
    if (opt_start_time !== undefined) {
      const wantsLater = Date.parse(opt_start_time) * 1e6 > Number(had);
      return { deliver_policy: "by_start_time", opt_start_time: wantsLater ? opt_start_time : timestamp(had) };
    }
    // Whatever was taken from this origin is gone: only what came after it can be new.
    if (state.firstSeq > 1 && had > 0n) return { deliver_policy: "by_start_time", opt_start_time: timestamp(had) };
    return { deliver_policy: "all" };
  }

  identified(identity: string): void {
    this.position = { seq: this.#seq, identity };
  }

  forget(): void {
    this.place(UNKNOWN);
    this.#anew = true;
  }

  attached(): void {}

  take(seq: number, _seconds: number, _nanos: number, subject: string, message: Message): boolean {
    if (seq <= this.#seq) return true;
    const header = this.#header.value(seq, subject, this.position.identity);
    if (!this.stream.storeSourced(this.#subjects.apply(subject), header, message)) return false;
    this.#seq = seq;
    return true;
  }
}

interface Source {
  readonly sink: SourceSink;
  readonly feed: Feed;
  /** As configured, to see what a change leaves alone. */
  readonly written: string;
}

export class Sources implements Replenisher {
  #sources = new Map<string, Source>();
  /** Runs while positions are being looked for. */
  #search: PositionSearch | undefined = undefined;
  #saving: Timer | undefined = undefined;
  #saved = "";
  #stopped = false;

  constructor(
    private readonly stream: SourcedStream,
    config: StreamConfig,
  ) {
    this.#sources = this.#make(config);
  }

  #make({ sources = [] }: StreamConfig): Map<string, Source> {
    const made = new Map<string, Source>();
    for (const source of sources) {
      const isRepeated = sources.filter(({ name }) => name === source.name).length > 1;
      const sink = new SourceSink(this.stream, source, isRepeated);
      const written = `${sink.consumerName} ${JSON.stringify(source)}`;
      const index = sourceIndex(source);
      made.set(index, this.#sources.get(index)?.written === written ? this.#present(index) : { sink, feed: new Feed(sink), written });
    }
    return made;
  }

  #present(index: string): Source {
    const source = this.#sources.get(index);
    if (source === undefined) throw new Error(`no source ${index}`);
    return source;
  }

  start(): void {
    this.#place([...this.#sources.values()], new Map());
    this.#saving = this.stream.account.context.clock.every(SAVE_EVERY_MS, () => this.#save());
  }

  /** Finds where these stand, unless that is known, and starts them. */
  #place(sources: readonly Source[], known: ReadonlyMap<string, SourcePosition>): void {
    this.#search?.stop();
    const sinks = sources.map(({ sink }) => sink.source);
    this.#search = new PositionSearch(this.stream, sinks, (positions) => {
      this.#search = undefined;
      for (const { sink, feed } of sources) {
        const index = sourceIndex(sink.source);
        sink.place(known.get(index) ?? positions.get(index) ?? UNKNOWN);
        feed.start();
      }
    });
    this.#search.start();
  }

  stop(removed: boolean): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const isPlaced = this.#search === undefined;
    this.#search?.stop();
    this.#saving?.cancel();
    for (const { feed } of this.#sources.values()) feed.stop(removed);
    if (!removed && isPlaced) this.#save();
  }

  update(config: StreamConfig): void {
    const before = this.#sources;
    const after = this.#make(config);
    this.#sources = after;
    for (const [index, source] of before) if (after.get(index) !== source) source.feed.stop(true);
    const added = [...after].filter(([index, source]) => before.get(index) !== source).map(([, source]) => source);
    // An interrupted search begins again, with those it was for.
    const waiting = this.#search === undefined ? [] : [...after.values()].filter((source) => !added.includes(source) && this.#search?.isFor(source.sink.source));
    // A source may only have another consumer's name now, because there is a second one of its origin.
    const known = new Map([...before].filter(([, { sink }]) => sink.seq > 0).map(([index, { sink }]) => [index, { seq: sink.seq, identity: sink.identity }]));
    if (added.length > 0 || waiting.length > 0) this.#place([...waiting, ...added], known);
  }

  /** Positions are true together with a place in the stream, so they are written when everything is committed. */
  #save(): void {
    const { store } = this.stream;
    const { lastSeq } = store.state;
    if (this.#search !== undefined || store.committedSeq < lastSeq) return;
    const positions = [...this.#sources].filter(([, { sink }]) => sink.seq > 0).map(([index, { sink }]) => ({ index, seq: sink.seq, identity: sink.identity }));
    const text = JSON.stringify({ last_seq: lastSeq, positions });
    if (text === this.#saved) return;
    writePositions(this.stream, text);
    this.#saved = text;
  }

  mirrorInfo(): undefined {
    return undefined;
  }

  sourceInfos(): SourceInfo[] {
    return [...this.#sources.values()].map(({ sink, feed }) => infoOf(sink.source, feed, sink.seq));
  }
}
