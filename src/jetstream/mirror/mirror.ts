/** A mirror: the origin's messages under the origin's sequences and times. Spec: streams, section 8.3. */
import type { Message } from "../../routing/index.ts";
import { errorBody } from "../api/errors.ts";
import type { Replenisher, SourcedStream } from "../seams.ts";
import type { SourceInfo, StreamConfig, StreamSource } from "../wire.ts";
import { Feed, type FeedSink, type FeedStart } from "./feed.ts";
import { infoOf } from "./info.ts";
import { mirrorConsumerName } from "./names.ts";
import { SourceSubjects } from "./subjects.ts";

const WRONG_POLICY = 10214;

class MirrorSink implements FeedSink {
  readonly kind = "mirror";
  readonly identity = undefined;
  readonly policyError = errorBody(WRONG_POLICY);
  readonly consumerName: string;
  readonly #subjects: SourceSubjects;

  constructor(
    private readonly stream: SourcedStream,
    readonly source: StreamSource,
  ) {
    const { account, config } = stream;
    this.consumerName = mirrorConsumerName({ stream: config.name, account: account.name, domain: account.context.settings.domain });
    this.#subjects = new SourceSubjects(source.subject_transforms, account.context.random);
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

  start(): FeedStart {
    const { lastSeq } = this.store.state;
    const { opt_start_seq, opt_start_time } = this.source;
    if (lastSeq > 0) return { deliver_policy: "by_start_sequence", opt_start_seq: lastSeq + 1 };
    if (opt_start_seq !== undefined && opt_start_seq > 0) return { deliver_policy: "by_start_sequence", opt_start_seq };
    if (opt_start_time !== undefined) return { deliver_policy: "by_start_time", opt_start_time };
    return { deliver_policy: "all" };
  }

  identified(): void {}

  forget(): void {}

  attached(seq: number): void {
    if (seq > this.store.state.lastSeq) this.stream.skipTo(seq + 1);
  }

  take(seq: number, seconds: number, nanos: number, subject: string, message: Message): boolean {
    return this.stream.storeMirrored(seq, seconds, nanos, this.#subjects.apply(subject), message);
  }
}

export class Mirror implements Replenisher {
  #sink: MirrorSink;
  #feed: Feed;

  constructor(
    private readonly stream: SourcedStream,
    source: StreamSource,
  ) {
    this.#sink = new MirrorSink(stream, source);
    this.#feed = new Feed(this.#sink);
  }

  start(): void {
    this.#feed.start();
  }

  stop(removed: boolean): void {
    this.#feed.stop(removed);
  }

  update({ mirror }: StreamConfig): void {
    if (mirror === undefined || JSON.stringify(mirror) === JSON.stringify(this.#sink.source)) return;
    this.#feed.stop(true);
    this.#sink = new MirrorSink(this.stream, mirror);
    this.#feed = new Feed(this.#sink);
    this.#feed.start();
  }

  mirrorInfo(): SourceInfo {
    const { source } = this.#sink;
    // The filter shows once the origin was asked for what passes it.
    return infoOf(this.#feed.hasAsked ? source : { ...source, filter_subject: undefined }, this.#feed);
  }

  sourceInfos(): undefined {
    return undefined;
  }
}
