/**
 * A large tree of wildcard subscriptions, and messages that never repeat a subject, so that no cache of match results
 * can help: what is measured is matching itself.
 *
 * Subscription i has one of four shapes (by i mod 4), and a matching subject matches exactly that one:
 *
 *     dev.<i>.*.temp    dev.<i>.>    dev.*.<i>.temp    *.<i>.*.>
 *
 * Every other message goes to a subject that nobody wants. Subjects have one length: 6-character tokens, where
 * subscription numbers are digits and all other tokens begin with a letter.
 */
import type { Figure } from "../figures.ts";
import { Connection } from "./connection.ts";
import { fail } from "./failure.ts";
import { Deliveries, pump } from "./pump.ts";
import type { Target, WildcardsSpec } from "./spec.ts";
import { measure, memoryFigure, rateFigures } from "./window.ts";
import { decimalAt, delivery, publish } from "./wire.ts";

/** The sid of subscription 0; sids all have six digits. */
const SID_BASE = 100_000;
const SUBSCRIPTIONS_MAX = 100_000;
const MESSAGES_PER_CHUNK = 1024;
const WARM_UP_FRACTION = 1 / 5;
/** Coprime to 100,000: visits all numbers once, in an order that leaves no neighbours together. */
const STRIDE = 61_803;

function token(letter: string, number: number): string {
  return letter + (number % 100_000).toString().padStart(5, "0");
}

function digits(number: number): string {
  return number.toString().padStart(6, "0");
}

function pattern(i: number): string {
  const id = digits(i);
  return [`dev.${id}.*.temp`, `dev.${id}.>`, `dev.*.${id}.temp`, `*.${id}.*.>`][i % 4];
}

/** The subject of message `n`: even ones match one subscription, odd ones none. All differ. */
function subjectOf(n: number, subscriptions: number): string {
  const round = Math.floor(n / 2 / subscriptions);
  const i = ((n >> 1) * STRIDE) % subscriptions;
  if (n % 2 === 1) return `dev.${token("n", i)}.${token("x", round)}.temp`;
  return i % 4 === 2 ? `dev.${token("r", round)}.${digits(i)}.temp` : `dev.${digits(i)}.${token("r", round)}.temp`;
}

export async function runWildcards(spec: WildcardsSpec, target: Target): Promise<Figure[]> {
  if (spec.subscriptions > SUBSCRIPTIONS_MAX) throw new RangeError(`at most ${SUBSCRIPTIONS_MAX} subscriptions`);
  const example = delivery({ subject: subjectOf(0, spec.subscriptions), payloadBytes: spec.payloadBytes }, SID_BASE);
  const deliveries = new Deliveries(example.length);
  const firstToken = "MSG dev.".length;
  const secondToken = firstToken + 7;
  const sidAt = example.indexOf(` ${SID_BASE} `) + 1;
  const onMessage = (bytes: Uint8Array, at: number): void => {
    const isNumber = bytes[at + firstToken] < 0x3a;
    const number = decimalAt(bytes, at + (isNumber ? firstToken : secondToken), 6);
    const sid = decimalAt(bytes, at + sidAt, 6);
    if (sid !== SID_BASE + number) fail(`a message for subscription ${number} came to sid ${sid}`);
  };
  await Promise.all(Array.from({ length: spec.connections }, async (_, index) => {
    const connection = await Connection.open(target, { message: example, identical: false, onMessage, onRead: (n) => deliveries.add(n) });
    let lines = "";
    for (let i = index; i < spec.subscriptions; i += spec.connections) lines += `SUB ${pattern(i)} ${SID_BASE + i}\r\n`;
    connection.send(lines);
    await connection.flush();
  }));

  const publisher = await Connection.open(target);
  const warmUpChunks = Math.ceil((spec.messages * WARM_UP_FRACTION) / MESSAGES_PER_CHUNK);
  const chunks = Math.ceil(spec.messages / MESSAGES_PER_CHUNK);
  const all = Array.from({ length: warmUpChunks + chunks }, (_, chunk) => {
    const messages = Array.from({ length: MESSAGES_PER_CHUNK }, (_, n) =>
      publish({ subject: subjectOf(chunk * MESSAGES_PER_CHUNK + n, spec.subscriptions), payloadBytes: spec.payloadBytes }));
    return publisher.encode(Buffer.concat(messages));
  });
  const deliveriesPerChunk = MESSAGES_PER_CHUNK / 2;
  const publishChunks = async (from: number, count: number): Promise<void> => {
    await pump(publisher, { chunk: (index) => all[from + index], chunks: count, deliveriesPerChunk }, deliveries);
    await publisher.flush(); // the last message may be one that nobody receives
    await deliveries.settled();
  };
  await publishChunks(0, warmUpChunks);
  const window = await measure(target, () => publishChunks(warmUpChunks, chunks));
  return [...rateFigures(window, chunks * MESSAGES_PER_CHUNK, "msgs"), memoryFigure(window)];
}
