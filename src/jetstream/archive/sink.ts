/** What reading an archive yields, whichever version it has. */

/** As archives (and `ConsumerInfo`) spell it. Sequences are keys of `pending` and `redelivered`. */
export interface ArchivedConsumerState {
  readonly delivered: { readonly consumer_seq: number; readonly stream_seq: number };
  readonly ack_floor: { readonly consumer_seq: number; readonly stream_seq: number };
  /** `Timestamp` in nanoseconds since the Unix epoch: when it was last delivered. */
  readonly pending?: Readonly<Record<string, { readonly Sequence: number; readonly Timestamp: number }>>;
  readonly redelivered?: Readonly<Record<string, number>>;
}

/** The stream's figures at the time of the backup. */
export interface ArchivedState {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Time of the last message, whole seconds and nanoseconds since the Unix epoch. */
  readonly lastSeconds: number;
  readonly lastNanos: number;
}

/** Is called in the archive's order; what it throws ends reading. */
export interface ArchiveSink {
  state(state: ArchivedState): void;
  /** `config` in the wire's form, unchecked. */
  consumer(name: string, config: unknown, state: ArchivedConsumerState): void;
  /** Sequences ascend. The bytes hold the header block in `[headerStart, bodyStart)` and the payload in `[bodyStart, end)`, and are valid during the call. */
  message(seq: number, seconds: number, nanos: number, subject: string, bytes: Buffer, headerStart: number, bodyStart: number, end: number): void;
  /** An earlier message turns out to be deleted. */
  removed(seq: number): void;
  /** Everything was read. */
  complete(): void;
}

/** Reads one version of the archive out of its plain bytes. */
export interface ArchiveFormat {
  /** Reads the next thing; false when that takes bytes which are not there yet. Throws `ArchiveError`. */
  step(): boolean;
  readonly isComplete: boolean;
  /** Why an archive that ends here is no good. */
  readonly truncated: string;
}
