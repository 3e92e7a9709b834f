/**
 * How acknowledgements, answers to flow control, pull requests and resets find their consumer. One subscription per account serves all consumers: ten thousand of
 * them must not mean as many wildcard subscriptions in everybody's way.
 */
import { API_LEVEL } from "../context.ts";
import type { Message, Subscriber } from "../../routing/index.ts";
import { encodeJson } from "../../protocol/index.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import type { JetStreamAccount } from "../account.ts";
import { ApiError, apiError } from "../api/errors.ts";
import type { AssetAccount } from "../seams.ts";
import { readAckSubject, readFlowSubject } from "./ack-subject.ts";
import { acknowledge } from "./acks.ts";
import type { Consumer } from "./consumer.ts";
import { Consumers } from "./consumers.ts";
import { consumerInfo } from "./info.ts";
import { resetTarget } from "./reset.ts";

const NEXT_PREFIX = "$JS.API.CONSUMER.MSG.NEXT.";
const RESET_PREFIX = "$JS.API.CONSUMER.RESET.";
const LEVEL_HEADER = "Nats-Required-Api-Level:";
const IDENTITY_HEADER = "Nats-Stream-Identity:";

/** The consumers of a stream of the account. */
export function consumersOf(account: AssetAccount, stream: string): Consumers | undefined {
  const consumers = account.stream(stream)?.consumers;
  return consumers instanceof Consumers ? consumers : undefined;
}

/** Listens for what clients send back. Called once per account. */
export function openAckRoads(account: JetStreamAccount): void {
  const road = new AckRoad(account);
  account.link.subscribe("$JS.ACK.>", (message, subject, origin) => road.take(message, subject, origin));
  account.link.subscribe("$JS.FC.>", (message, subject) => handleFlow(account, message, subject));
}

/** Acknowledgements of an account. They come in long runs for one consumer, so the last one is kept at hand. */
class AckRoad {
  #last: Consumer | undefined = undefined;

  constructor(private readonly account: AssetAccount) {}

  take(message: Message, subject: string, origin: Subscriber | undefined): boolean {
    const last = this.#last;
    if (last !== undefined && !last.isClosed) {
      const numbers = last.acks.read(subject);
      if (numbers !== undefined) {
        acknowledge(last, numbers, message, origin);
        return true;
      }
    }
    const address = readAckSubject(this.account, subject);
    if (address === undefined) return false;
    const consumer = consumersOf(this.account, address.stream)?.get(address.consumer);
    if (consumer === undefined || !consumer.takesAcks) return false;
    this.#last = consumer;
    acknowledge(consumer, address, message, origin);
    return true;
  }
}

/** Answers to flow control; with the ack policy of that name they acknowledge, too. */
function handleFlow(account: AssetAccount, message: Message, subject: string): boolean {
  const address = readFlowSubject(account, subject);
  if (address === undefined) return false;
  const consumer = consumersOf(account, address.stream)?.get(address.consumer);
  if (consumer?.push === undefined || consumer.config.flow_control !== true) return false;
  if (consumer.config.ack_policy === "flow_control" && message.headerLength > 0) {
    const header = headerOf(message);
    const seq = Number(headerValue(header, "Nats-Last-Stream:") ?? 0);
    const delivery = Number(headerValue(header, "Nats-Last-Consumer:") ?? 0);
    if (Number.isSafeInteger(seq) && seq > 0) consumer.acknowledgeThrough(delivery, seq);
  }
  consumer.push.answered(subject);
  return true;
}

/** A pull request or a reset; false when its consumer does not exist. */
export function handlePull(account: JetStreamAccount, message: Message, subject: string, origin: Subscriber | undefined): boolean {
  const isReset = subject.startsWith(RESET_PREFIX);
  const tokens = subject.slice((isReset ? RESET_PREFIX : NEXT_PREFIX).length).split(".");
  // Unlike pull requests, resets are for the API as a whole, which has nothing to say where there is no consumer.
  if (tokens.length !== 2) return isReset;
  const consumers = consumersOf(account, fromByteString(tokens[0]));
  const consumer = consumers?.get(fromByteString(tokens[1]));
  if (consumers === undefined || consumer === undefined) return isReset;
  const reply = message.reply();
  if (reply === "") return true;
  if (isReset) reset(consumers, consumer, message, reply);
  else next(consumer, message, reply, origin);
  return true;
}

function next(consumer: Consumer, message: Message, reply: string, origin: Subscriber | undefined): void {
  if (consumer.pull !== undefined && message.headerLength > 0 && !isLevelMet(headerOf(message))) return consumer.answer(reply, "412 Required Api Level");
  const start = message.bodyStart + message.headerLength;
  consumer.ask(message.buffer.latin1Slice(start, message.bodyEnd), reply, origin);
}

function reset(consumers: Consumers, consumer: Consumer, message: Message, reply: string): void {
  const type = "io.nats.jetstream.api.v1.consumer_reset_response";
  const body = message.buffer.toString("utf8", message.bodyStart + message.headerLength, message.bodyEnd);
  const header = message.headerLength === 0 ? "" : headerOf(message);
  let identity = "";
  const respond = (response: Readonly<Record<string, unknown>>): void => consumers.respond(reply, identity, toByteString(encodeJson({ type, ...response })));
  try {
    if (!isLevelMet(header)) throw apiError(10185);
    const seq = resetTarget(consumer, body);
    consumers.reset(consumer, seq);
    if (headerValue(header, IDENTITY_HEADER) !== undefined) identity = `NATS/1.0\r\n${IDENTITY_HEADER} ${consumers.streamIdentity}\r\n\r\n`;
    const done = (): void => respond({ ...consumerInfo(consumer, "shown"), reset_seq: seq });
    if (consumer.counted === undefined) done();
    else void consumer.counted.then(done);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    respond({ error: error.body, reset_seq: 0 });
  }
}

function headerOf(message: Message): string {
  return message.buffer.latin1Slice(message.bodyStart, message.bodyStart + message.headerLength);
}

/** The value of the first such line, trimmed; `key` ends with its colon. */
export function headerValue(header: string, key: string): string | undefined {
  const at = header.indexOf(`\r\n${key}`);
  if (at < 0) return undefined;
  const start = at + 2 + key.length;
  return header.slice(start, header.indexOf("\r\n", start)).trim();
}

function isLevelMet(header: string): boolean {
  const level = headerValue(header, LEVEL_HEADER);
  return level === undefined || (/^[+-]?\d+$/.test(level) && Number(level) <= API_LEVEL);
}
