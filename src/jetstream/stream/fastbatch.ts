/**
 * Fast batches: a publisher sends without waiting, and is told now and then how far it may go on. What it wants stands in the reply subject:
 * `<prefix>.<id>.<flow>.<gap>.<seq>.<op>.$FI`. Messages are stored as they come; the batch only keeps count. Spec: streams, section 5.10.
 */
import type { Timer } from "../../platform/index.ts";
import { encodeJson } from "../../protocol/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import { type ApiErrorBody, errorBody } from "../api/errors.ts";
import { examine, examineSizes } from "./examine.ts";
import { PublishHeaders } from "./headers.ts";
import { Judgement, type PublishInput } from "./judgement.ts";
import type { Stream } from "./stream.ts";

const ID_MAX_BYTES = 64;
const INFLIGHT_MAX = 1000;
const INFLIGHT_TOTAL_MAX = 50_000;
const FLOW_DEFAULT = 10;
const FLOW_MAX = 65_535;
/** Messages that may be under way on one stream, shared out among its batches. */
const FLOW_SHARED = 500;
const WRONG_LAST_ID = 10070;
const BAD_TTL = 10165;
const NO_HEADERS = new PublishHeaders();

const enum Operation {
  Start,
  Append,
  Commit,
  CommitEnd,
  Ping,
}

interface Control {
  readonly id: string;
  readonly flow: number;
  readonly allowsGaps: boolean;
  readonly seq: number;
  readonly operation: Operation;
}

interface Batch {
  readonly id: string;
  readonly allowsGaps: boolean;
  readonly flowWanted: number;
  /** Messages between two acknowledgements. */
  flow: number;
  /** Highest batch sequence received. */
  received: number;
  /** Batch sequence of the last acknowledgement. */
  acknowledged: number;
  /** Stream sequence of the last message stored. */
  storedSeq: number;
  /** Where the last acknowledgement goes. */
  reply: string;
  timer: Timer | undefined;
}

/** Undefined when the reply subject is no such control. */
function parseControl(reply: string): Control | undefined {
  const tokens = reply.split(".");
  if (tokens.length < 7) return undefined;
  const [id, flowText, gap, seqText, operationText] = tokens.slice(-6, -1);
  const operation = /^[0-4]$/.test(operationText) ? Number(operationText) : -1;
  const seq = /^\d+$/.test(seqText) ? Number(seqText) : -1;
  if (operation < 0 || seq < 1 || (gap !== "ok" && gap !== "fail")) return undefined;
  if (operation === Operation.Start && seq !== 1) return undefined;
  if ((operation === Operation.Append || operation === Operation.CommitEnd) && seq < 2) return undefined;
  const flow = /^\d+$/.test(flowText) ? Number(flowText) : 0;
  return { id, flow: flow <= 0 ? FLOW_DEFAULT : Math.min(flow, FLOW_MAX), allowsGaps: gap === "ok", seq, operation: operation as Operation };
}

export class FastBatches {
  readonly #stream: Stream;
  readonly #batches = new Map<string, Batch>();
  readonly #judgement = new Judgement();

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  receive(input: PublishInput, reply: string, headers: PublishHeaders | undefined): void {
    const stream = this.#stream;
    stream.touch();
    const refusal = this.#refusePlainly(input) ?? this.#receive(input, reply, headers, parseControl(reply));
    if (refusal === undefined) return;
    stream.ingest.noteRefusal(refusal);
    stream.acks.refused(reply, stream.lastSeq, refusal);
  }

  /** What is refused before anybody looks which batch it is of, which so goes on as if the message had not been sent. */
  #refusePlainly(input: PublishInput): ApiErrorBody | undefined {
    const stream = this.#stream;
    const { config } = stream;
    if (config.sealed) return errorBody(10109);
    const full = stream.account.storeRefusal(config.storage, stream.store.sizeOf(input.subject.length, input.headerLength, input.payloadLength), config.num_replicas);
    return full === undefined ? (examineSizes(stream, input) ?? this.refusal()) : errorBody(full);
  }

  /** Why no batch is taken at all. */
  refusal(): ApiErrorBody | undefined {
    const { sealed, allow_batched: allowed } = this.#stream.config;
    if (sealed) return errorBody(10109);
    return allowed ? undefined : errorBody(10205);
  }

  #receive(input: PublishInput, reply: string, headers: PublishHeaders | undefined, control: Control | undefined): ApiErrorBody | undefined {
    if (control === undefined) return errorBody(10206);
    if (control.id.length > ID_MAX_BYTES) return errorBody(10207);
    const known = this.#batches.get(control.id);
    if (known === undefined && (control.seq !== 1 || control.operation === Operation.Ping)) return errorBody(10208);
    const batch = known ?? this.#begin(control);
    if (!("received" in batch)) return batch;
    batch.reply = reply;
    this.#keepAlive(batch);
    if (control.operation === Operation.Ping) return this.#ping(batch, control, reply);
    if (!this.#takeSequence(batch, control, reply)) return undefined;
    if (control.operation === Operation.CommitEnd) {
      batch.received = control.seq - 1;
      this.#finish(batch, reply);
      return undefined;
    }
    return this.#store(batch, input, headers, control, reply);
  }

  #begin(control: Control): Batch | ApiErrorBody {
    const { batches, settings } = this.#stream.account.context;
    const { maxInflightPerStream, maxInflightTotal } = settings.limits.batch;
    if (this.#batches.size >= (maxInflightPerStream ?? INFLIGHT_MAX) || batches.fast >= (maxInflightTotal ?? INFLIGHT_TOTAL_MAX)) return errorBody(10211);
    const isAlone = this.#batches.size === 0;
    const batch: Batch = {
      id: control.id,
      allowsGaps: control.allowsGaps,
      flowWanted: control.flow,
      flow: isAlone ? Math.min(FLOW_SHARED, control.flow) : 1,
      received: 0,
      acknowledged: 0,
      storedSeq: 0,
      reply: "",
      timer: undefined,
    };
    this.#batches.set(control.id, batch);
    batches.fast++;
    return batch;
  }

  #keepAlive(batch: Batch): void {
    const { clock, settings } = this.#stream.account.context;
    batch.timer?.cancel();
    batch.timer = clock.after(settings.limits.batch.timeoutMs, () => this.#forget(batch));
  }

  /** A ping tells of a gap, and gets the latest acknowledgement. */
  #ping(batch: Batch, control: Control, reply: string): undefined {
    if (control.seq > batch.received) {
      this.#tell(reply, { type: "gap", last_seq: batch.received + 1, seq: control.seq + 1 });
      if (!batch.allowsGaps) {
        this.#finish(batch, reply);
        return undefined;
      }
      batch.received = control.seq;
    }
    this.#catchUp(batch);
    this.#tell(reply, { type: "ack", seq: batch.acknowledged, msgs: batch.flow });
    return undefined;
  }

  /** Looks at the order; false when the batch ended here. */
  #takeSequence(batch: Batch, control: Control, reply: string): boolean {
    const expected = batch.received + 1;
    if (control.seq === expected) return true;
    // Names the message that was expected.
    this.#tell(reply, { type: "gap", last_seq: expected, seq: control.seq });
    if (batch.allowsGaps && control.seq > expected) return true;
    this.#finish(batch, reply);
    return false;
  }

  #store(batch: Batch, input: PublishInput, headers: PublishHeaders | undefined, control: Control, reply: string): ApiErrorBody | undefined {
    const stream = this.#stream;
    const judgement = this.#judgement;
    const isFirst = batch.received === 0;
    batch.received = control.seq;
    if (isFirst && control.operation !== Operation.Commit) this.#tell(reply, { type: "ack", seq: 0, msgs: batch.flow });
    const asked = examine(stream, input, headers ?? NO_HEADERS, judgement, undefined) ?? stream.ingest.refusalOf(input, judgement);
    // In batches a TTL is not allowed before it is none.
    const refusal = asked?.err_code === BAD_TTL && !stream.config.allow_msg_ttl ? errorBody(10166) : asked;
    // The reference answers so, and the batch knows nothing of it.
    if (refusal?.err_code === WRONG_LAST_ID) return refusal;
    const commits = control.operation === Operation.Commit;
    if (refusal !== undefined) {
      if (isFirst && !batch.allowsGaps) {
        this.#forget(batch);
        return refusal;
      }
      this.#tell(reply, { type: "err", seq: control.seq, error: refusal });
      if (!batch.allowsGaps) {
        batch.received = control.seq - 1;
        this.#finish(batch, reply);
        return undefined;
      }
      // What was refused does not count where nothing comes after it.
      if (commits) batch.received = control.seq - 1;
    } else if (judgement.duplicateOf === 0) batch.storedSeq = stream.ingest.place(input, judgement, 0);
    const isDue = refusal === undefined && control.seq - batch.acknowledged >= batch.flow;
    if (isDue && (!commits || judgement.duplicateOf > 0)) this.#acknowledge(batch, reply);
    if (commits) this.#finish(batch, reply);
    return undefined;
  }

  /** Tells how far it is stored, and how many may follow. */
  #acknowledge(batch: Batch, reply: string): void {
    this.#catchUp(batch);
    this.#tell(reply, { type: "ack", seq: batch.acknowledged, msgs: batch.flow });
  }

  /** Acknowledgements are due at whole steps; gaps may have passed several, which count as one. */
  #catchUp(batch: Batch): void {
    const steps = Math.floor((batch.received - batch.acknowledged) / batch.flow);
    if (steps <= 0) return;
    batch.acknowledged += steps * batch.flow;
    this.#adaptFlow(batch);
  }

  /** Toward an equal share for every batch, by doubling or halving. */
  #adaptFlow(batch: Batch): void {
    const target = Math.max(1, Math.min(batch.flowWanted, Math.floor(FLOW_SHARED / this.#batches.size)));
    if (batch.flow < target) batch.flow = Math.min(target, batch.flow * 2);
    else if (batch.flow > target) batch.flow = Math.max(target, Math.floor(batch.flow / 2));
  }

  #tell(reply: string, message: Readonly<Record<string, unknown>>): void {
    this.#stream.acks.text(reply, this.#stream.lastSeq, toByteString(encodeJson(message)));
  }

  /** The last answer. */
  #finish(batch: Batch, reply: string): void {
    this.#forget(batch);
    const { acks, lastSeq } = this.#stream;
    acks.text(reply, lastSeq, acks.batchText(batch.storedSeq, fromByteString(batch.id), batch.received));
  }

  #forget(batch: Batch): void {
    batch.timer?.cancel();
    if (this.#batches.delete(batch.id)) this.#stream.account.context.batches.fast--;
  }

  /** Messages from `firstSeq` on are not stored after all: batches that had some end, with the reason. */
  takeBack(firstSeq: number, error: ApiErrorBody): void {
    for (const batch of this.#batches.values()) {
      if (batch.storedSeq < firstSeq) continue;
      this.#forget(batch);
      this.#stream.acks.refused(batch.reply, firstSeq - 1, error);
    }
  }

  dropAll(): void {
    for (const batch of this.#batches.values()) this.#forget(batch);
  }
}
