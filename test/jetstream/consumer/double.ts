/** Consumers on a stream that is nothing but a store in memory; what they keep goes to the simulated disk. */
import { Account } from "../../../src/accounts/index.ts";
import { InternalLink } from "../../../src/links/internal/index.ts";
import { type Consumer, Consumers, normaliseConsumerConfig } from "../../../src/jetstream/consumer/index.ts";
import { type MessageStore, openAssetFiles } from "../../../src/jetstream/store/index.ts";
import type { AssetAccount, ConsumerStream } from "../../../src/jetstream/seams.ts";
import type { JetStreamContext } from "../../../src/jetstream/context.ts";
import type { ConsumerInfo, StreamConfig } from "../../../src/jetstream/wire.ts";
import type { StoreOptions } from "../../../src/jetstream/store/index.ts";
import type { SeededRandom } from "../../sim/random.ts";
import { given, PLAIN, World } from "../store/support/world.ts";

const KIND_JETSTREAM = 5;
const FOLDER = "/js/A/streams/S/consumers";
const LOG_PATH = `${FOLDER}/consumers.log`;

const CONFIG: StreamConfig = {
  name: "S",
  subjects: ["s.*"],
  retention: "limits",
  max_consumers: -1,
  max_msgs: -1,
  max_bytes: -1,
  max_age: 0,
  max_msgs_per_subject: -1,
  max_msg_size: -1,
  discard: "old",
  storage: "file",
  num_replicas: 1,
  compression: "none",
  allow_direct: false,
  mirror_direct: false,
  sealed: false,
  deny_delete: false,
  deny_purge: false,
  allow_rollup_hdrs: false,
  consumer_limits: {},
  allow_msg_ttl: false,
};

const UNLIMITED = {
  max_memory: -1,
  max_storage: -1,
  max_streams: -1,
  max_consumers: -1,
  max_ack_pending: -1,
  memory_max_stream_bytes: -1,
  storage_max_stream_bytes: -1,
  max_bytes_required: false,
};

export class ConsumerWorld {
  readonly world = new World();
  readonly store: MessageStore;
  readonly context: JetStreamContext;
  readonly link: InternalLink;
  readonly stream: ConsumerStream;
  consumers: Consumers;
  /** Inboxes that got an empty message: confirmations. */
  readonly confirmed: string[] = [];

  constructor(options: StoreOptions = PLAIN) {
    const { world } = this;
    world.options = options;
    this.context = world.context();
    this.link = new InternalLink(new Account("A", false), KIND_JETSTREAM, "JETSTREAM");
    this.store = world.openMemory();
    this.stream = this.#makeStream();
    this.consumers = new Consumers(this.stream);
    this.link.subscribe("re.*", (_message, subject) => this.confirmed.push(subject) > 0);
  }

  #makeStream(): ConsumerStream {
    const { context, link, store } = this;
    const account: AssetAccount = {
      name: "A",
      context,
      link,
      limitsFor: () => UNLIMITED,
      addUsage: () => undefined,
      storeRefusal: () => undefined,
      stream: () => undefined,
      streams: () => [],
      advise: () => undefined,
    };
    return {
      name: "S",
      account,
      config: CONFIG,
      createdNs: 1n,
      store,
      consumerFolder: FOLDER,
      files: openAssetFiles(context, "A", "S"),
      settled: () => undefined,
      settledRange: () => undefined,
    };
  }

  publish(subject: string): number {
    const seq = this.store.append(given({ subject }));
    this.consumers.stored(seq, subject);
    this.store.flush();
    this.consumers.committed(seq);
    return seq;
  }

  create(name: string, config: Parameters<typeof normaliseConsumerConfig>[1] = {}): Consumer {
    const complete = normaliseConsumerConfig(this.stream, { durable_name: name, ack_policy: "explicit", max_ack_pending: -1, ...config }, false);
    const consumer = this.consumers.apply(name, complete, "");
    if (consumer instanceof Promise) throw new Error("its list takes long to make: use createListed");
    return consumer;
  }

  /** As `create`, for a consumer whose list of messages may take some turns to make. */
  async createListed(name: string, config: Parameters<typeof normaliseConsumerConfig>[1] = {}): Promise<Consumer> {
    return this.consumers.apply(name, normaliseConsumerConfig(this.stream, { durable_name: name, ack_policy: "explicit", max_ack_pending: -1, ...config }, false), "");
  }

  /** A message leaves the stream. */
  remove(seq: number): void {
    const removed = this.store.remove(seq, false);
    if (removed !== undefined) this.consumers.removed(seq, removed.subject);
  }

  /** Delivers a message without a client. */
  deliver(consumer: Consumer, seq: number): void {
    consumer.state.deliver(seq, consumer.nowMs);
    consumer.walk.delivered();
    consumer.journal?.addDelivered(seq, consumer.state.delivered.delivery);
    consumer.host.changed(consumer);
  }

  acknowledge(consumer: Consumer, seq: number, reply: string): void {
    consumer.settle(seq);
    consumer.host.confirm(consumer, reply);
  }

  turns(count = 10): Promise<void> {
    return this.world.turns(count);
  }

  get logBytes(): Uint8Array {
    return this.world.disk.readFile(LOG_PATH);
  }

  set logBytes(bytes: Uint8Array) {
    this.world.disk.writeFile(LOG_PATH, bytes, 0o640);
  }

  /** The machine stopped (`disk.stopAfter`), and another process reads what is left of the disk. */
  async restart(how: "kill" | "power", whim: SeededRandom): Promise<void> {
    this.world.forget();
    this.world.disk.restart(how, whim);
    this.consumers = new Consumers(this.stream);
    this.consumers.recover();
    await this.turns();
  }

  /** The process was killed, and another reads what it left. */
  async kill(): Promise<void> {
    const left = this.logBytes;
    this.consumers.deleteAll();
    this.world.forget();
    this.logBytes = left;
    this.consumers = new Consumers(this.stream);
    this.consumers.recover();
    await this.turns();
  }

  /** Positions and pending messages of each consumer. */
  figures(): Record<string, unknown> {
    return Object.fromEntries(this.consumers.infos({ withConfig: true, direct: true }).map((info) => [info.name, figuresOf(info)]));
  }
}

function figuresOf({ delivered, ack_floor, num_ack_pending, num_redelivered, num_pending, config }: ConsumerInfo): unknown {
  const position = ({ consumer_seq, stream_seq }: ConsumerInfo["delivered"]): unknown => [consumer_seq, stream_seq];
  return { delivered: position(delivered), floor: position(ack_floor), ackPending: num_ack_pending, redelivered: num_redelivered, pending: num_pending, config };
}
