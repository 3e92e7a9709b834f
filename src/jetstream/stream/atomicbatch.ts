/**
 * Atomic batches: messages are staged in memory until the last one says commit, examined as a whole, and stored as a whole or not at all. They get
 * consecutive sequences and go out in one write; all but the last carry a mark, by which a recovery finds and removes half a batch. Spec: streams, section 5.9.
 */
import type { Timer } from "../../platform/index.ts";
import { fromByteString } from "../../util/bytes.ts";
import { API_LEVEL } from "../context.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";
import { BatchEffects } from "./batcheffects.ts";
import { examine, examineSizes } from "./examine.ts";
import { H, PublishHeaders, withHeaders, withoutHeaders } from "./headers.ts";
import { Judgement, Mark, PublishInput } from "./judgement.ts";
import type { Stream } from "./stream.ts";

const ID_MAX_BYTES = 64;
const INFLIGHT_MAX = 50;
const INFLIGHT_TOTAL_MAX = 1000;

type Reason = "timeout" | "large" | "incomplete" | "unsupported";

interface Batch {
  readonly id: string;
  readonly staged: PublishInput[];
  bytes: number;
  timer: Timer | undefined;
}

export class AtomicBatches {
  readonly #stream: Stream;
  readonly #batches = new Map<string, Batch>();
  readonly #headers = new PublishHeaders();
  #stagedBytes = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** A message with a batch id. */
  receive(input: PublishInput, headers: PublishHeaders, reply: string): void {
    const stream = this.#stream;
    stream.touch();
    const refusal = this.#receive(input, headers, reply);
    if (refusal === undefined) return;
    stream.ingest.noteRefusal(refusal);
    if (reply !== "") stream.acks.refused(reply, stream.lastSeq, refusal);
  }

  /** Why no batch is taken at all. */
  refusal(): ApiErrorBody | undefined {
    const { sealed, allow_atomic: allowed } = this.#stream.config;
    if (sealed) return errorBody(10109);
    return allowed ? undefined : errorBody(10174);
  }

  #receive(input: PublishInput, headers: PublishHeaders, reply: string): ApiErrorBody | undefined {
    const stream = this.#stream;
    const { config } = stream;
    if (config.sealed) return errorBody(10109);
    const full = stream.account.storeRefusal(config.storage, stream.store.sizeOf(input.subject.length, input.headerLength, input.payloadLength), config.num_replicas);
    const refusal = full === undefined ? examineSizes(stream, input) : errorBody(full);
    if (refusal !== undefined) return refusal;
    if (!config.allow_atomic) return errorBody(10174);
    const id = headers.get(H.BatchId) ?? "";
    if (id === "" || id.length > ID_MAX_BYTES) return errorBody(10179);
    const sequenceText = headers.get(H.BatchSequence) ?? "";
    const sequence = /^\d+$/.test(sequenceText) ? Number(sequenceText) : Number.POSITIVE_INFINITY;
    if (sequence >= 2 ** 64) return errorBody(10175);
    const commit = headers.get(H.BatchCommit);
    const batch = this.#batches.get(id) ?? this.#begin(id, sequence);
    if (!("staged" in batch)) return batch;
    return this.#take(batch, sequence, commit, input, headers, reply);
  }

  #begin(id: string, sequence: number): Batch | ApiErrorBody {
    const { batch: limits } = this.#stream.account.context.settings.limits;
    if (sequence !== 1) return sequence > limits.maxMessages ? errorBody(10199, { size: limits.maxMessages }) : errorBody(10176);
    const { batches } = this.#stream.account.context;
    if (this.#batches.size >= (limits.maxInflightPerStream ?? INFLIGHT_MAX) || batches.atomic >= (limits.maxInflightTotal ?? INFLIGHT_TOTAL_MAX)) return errorBody(10210);
    const batch: Batch = { id, staged: [], bytes: 0, timer: undefined };
    this.#batches.set(id, batch);
    batches.atomic++;
    return batch;
  }

  #take(batch: Batch, sequence: number, commit: string | undefined, input: PublishInput, headers: PublishHeaders, reply: string): ApiErrorBody | undefined {
    const { settings } = this.#stream.account.context;
    const { maxMessages, timeoutMs } = settings.limits.batch;
    if (commit !== undefined && commit !== "1" && commit !== "eob") {
      this.#forget(batch);
      return errorBody(10200);
    }
    const isLevelTooHigh = !meetsLevel(headers.get(H.RequiredApiLevel));
    if (isLevelTooHigh) return this.#abandon(batch, "unsupported", errorBody(10185));
    if (sequence !== batch.staged.length + 1 || (commit === "eob" && sequence === 1)) return this.#abandon(batch, "incomplete", errorBody(10176));
    const ends = commit === "1" || commit === "eob";
    const isTooLarge = commit === "eob" ? false : sequence > maxMessages || this.#stagedBytes + input.end - input.headerStart > settings.maxBufferedBytes;
    if (isTooLarge) return this.#abandon(batch, "large", errorBody(10199, { size: maxMessages }));
    if (commit !== "eob") this.#stage(batch, input);
    if (ends) return this.#commit(batch, commit === "eob", reply);
    if (reply !== "") this.#stream.acks.text(reply, 0, "");
    const { clock } = this.#stream.account.context;
    batch.timer?.cancel();
    batch.timer = clock.after(timeoutMs, () => this.#abandon(batch, "timeout", undefined));
    return undefined;
  }

  /** Keeps a copy: the message is only lent. */
  #stage(batch: Batch, input: PublishInput): void {
    const copy = new PublishInput();
    const bytes = Buffer.from(input.buffer.subarray(input.headerStart, input.end));
    copy.set(input.subject, bytes, 0, input.headerLength, bytes.length);
    batch.staged.push(copy);
    batch.bytes += bytes.length;
    this.#stagedBytes += bytes.length;
  }

  #commit(batch: Batch, addsCommit: boolean, reply: string): ApiErrorBody | undefined {
    const stream = this.#stream;
    this.#forget(batch);
    if (addsCommit) addHeader(batch.staged[batch.staged.length - 1], "Nats-Batch-Commit", "1");
    const effects = new BatchEffects();
    const judgements: Judgement[] = [];
    for (const input of batch.staged) {
      const judgement = new Judgement();
      this.#headers.read(input.buffer, input.headerStart, input.bodyStart);
      const refusal = examine(stream, input, this.#headers, judgement, effects) ?? stream.ingest.refusalOf(input, judgement, effects);
      if (refusal !== undefined) return refusal;
      if (this.#headers.get(H.RequiredApiLevel) !== undefined) judgement.header = withoutHeaders(judgement.header ?? input.headerBlock(), (name) => name === "Nats-Required-Api-Level");
      judgements.push(judgement);
      effects.add(input, judgement, stream.store.sizeOf(input.subject.length, judgement.header?.length ?? input.headerLength, judgement.body?.length ?? input.payloadLength));
    }
    let seq = 0;
    for (const [i, input] of batch.staged.entries()) seq = stream.ingest.place(input, judgements[i], i + 1 < batch.staged.length ? Mark.MoreOfBatch : 0);
    if (reply !== "") stream.acks.text(reply, seq, stream.acks.batchText(seq, fromByteString(batch.id), batch.staged.length));
    return undefined;
  }

  #abandon(batch: Batch, reason: Reason, error: ApiErrorBody | undefined): ApiErrorBody | undefined {
    this.#forget(batch);
    const { account, name } = this.#stream;
    const { domain } = account.context.settings;
    // Here the domain is not the last.
    const fields = { stream: name, ...(domain === "" ? {} : { domain }), batch: fromByteString(batch.id), reason };
    account.advise(`ADVISORY.STREAM.BATCH_ABANDONED.${name}`, "stream_batch_abandoned", fields, "both");
    return error;
  }

  #forget(batch: Batch): void {
    batch.timer?.cancel();
    if (!this.#batches.delete(batch.id)) return;
    this.#stagedBytes -= batch.bytes;
    this.#stream.account.context.batches.atomic--;
  }

  /** No more batches, or no more stream. */
  dropAll(): void {
    for (const batch of this.#batches.values()) this.#forget(batch);
  }
}

function meetsLevel(text: string | undefined): boolean {
  return text === undefined || text === "" || (/^[+-]?\d+$/.test(text) && Number(text) <= API_LEVEL);
}

function addHeader(input: PublishInput, name: string, value: string): void {
  const block = Buffer.from(withHeaders(input.headerBlock(), [[name, value]]), "latin1");
  const bytes = Buffer.concat([block, input.buffer.subarray(input.bodyStart, input.end)]);
  input.set(input.subject, bytes, 0, block.length, bytes.length);
}
