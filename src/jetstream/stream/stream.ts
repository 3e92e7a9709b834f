/** A stream of one account. */
import type { AssetFiles, AssetStream, ConsumerStream, SourcedStream, StreamConsumers } from "../seams.ts";
import type { JetStreamAccount } from "../account.ts";
import type { MessageStore } from "../store/index.ts";
import type { StreamConfig } from "../wire.ts";
import type { Message } from "../../routing/index.ts";

export declare class Stream implements AssetStream, ConsumerStream, SourcedStream {
  readonly name: string;
  readonly account: JetStreamAccount;
  config: StreamConfig;
  readonly createdNs: bigint;
  readonly store: MessageStore;
  readonly consumers: StreamConsumers;
  readonly consumerFolder: string | undefined;
  readonly files: AssetFiles;
  settled(seq: number, subject: string): void;
  settledRange(first: number, last: number): void;
  storeMirrored(seq: number, seconds: number, nanos: number, subject: string, message: Message): boolean;
  skipTo(seq: number): void;
  storeSourced(subject: string, sourceHeader: string, message: Message): boolean;
}
