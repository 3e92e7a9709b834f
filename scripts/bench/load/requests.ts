/**
 * Requests as clients make them: one wildcard subscription on an inbox, a reply subject of its own for every request,
 * a responder on another connection. `inFlight` requests are under way at any time; each answer starts the next one.
 *
 * Every single request is timed, from the moment it is handed to the socket until its answer is read, and the
 * percentiles are exact: all samples are kept and sorted.
 */
import type { Figure } from "../figures.ts";
import { percentile } from "../figures.ts";
import { Connection, login } from "./connection.ts";
import { fail } from "./failure.ts";
import type { RequestsSpec, Target } from "./spec.ts";
import { measure, memoryFigure, rateFigures } from "./window.ts";
import { decimalAt, delivery, publish, putDecimal } from "./wire.ts";

const SUBJECT = "bench.request";
const INBOX = "_INBOX.0123456789abcdefghijkl";
const DIGITS = 7;
/** A reply subject of the width that all have; its digits are overwritten. */
const REPLY = `${INBOX}.${"0".repeat(DIGITS)}`;
/** As wide as the reply subjects that a service of another account sees. */
const CROSSING_REPLY = "_R_.000000.000000";
const SID = 1;
const WARM_UP_FRACTION = 1 / 5;

/** Gathers what one turn of the loop sends into one write. */
class Batch {
  #bytes = Buffer.alloc(64 * 1024);
  #length = 0;

  /** Appends a copy and returns where it starts in `bytes`. */
  append(message: Buffer): { readonly bytes: Buffer; readonly at: number } {
    if (this.#length + message.length > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    const at = this.#length;
    message.copy(this.#bytes, at);
    this.#length += message.length;
    return { bytes: this.#bytes, at };
  }

  sendOn(connection: Connection): void {
    if (this.#length === 0) return;
    connection.send(Buffer.from(this.#bytes.subarray(0, this.#length)));
    this.#length = 0;
  }
}

async function startResponder(spec: RequestsSpec, target: Target): Promise<void> {
  const request = { subject: SUBJECT, payloadBytes: spec.payloadBytes };
  const replyTo = spec.crosses === true ? CROSSING_REPLY : REPLY;
  const answer = publish({ subject: replyTo, payloadBytes: spec.payloadBytes });
  const expected = delivery(request, SID, replyTo);
  const replyAt = expected.indexOf(replyTo);
  const batch = new Batch();
  const connection = await Connection.open(target, {
    message: expected, identical: false,
    // A header that tells of the requester would be of no fixed length.
    connect: { ...login(spec.users?.subscriber), headers: spec.crosses !== true, no_responders: spec.crosses !== true },
    onMessage: (message, at) => {
      const { bytes, at: start } = batch.append(answer);
      const reply = at + replyAt;
      bytes.set(message.subarray(reply, reply + replyTo.length), start + "PUB ".length);
    },
    onRead: (_messages, self) => batch.sendOn(self),
  });
  connection.send(`SUB ${SUBJECT} ${SID}\r\n`);
  await connection.flush();
}

export async function runRequests(spec: RequestsSpec, target: Target): Promise<Figure[]> {
  await startResponder(spec, target);
  const template = publish({ subject: SUBJECT, payloadBytes: spec.payloadBytes }, REPLY);
  const templateDigits = template.indexOf(REPLY) + REPLY.length - DIGITS;
  const expected = delivery({ subject: REPLY, payloadBytes: spec.payloadBytes }, SID);
  const expectedDigits = expected.indexOf(REPLY) + REPLY.length - DIGITS;
  const warmUp = Math.ceil(spec.requests * WARM_UP_FRACTION);
  const total = warmUp + spec.requests;
  /** When request i was sent; 0 once it has been answered. */
  const sentNs = new Float64Array(total);
  const latencyNs = new Float64Array(total);
  const batch = new Batch();
  let sent = 0;
  let answered = 0;
  let end = 0;
  let finished: (() => void) | null = null;

  const sendNext = (): void => {
    const { bytes, at } = batch.append(template);
    putDecimal(bytes, at + templateDigits, DIGITS, sent);
    sentNs[sent++] = Bun.nanoseconds();
  };
  const connection = await Connection.open(target, {
    message: expected, identical: false,
    connect: login(spec.users?.publisher),
    onMessage: (message, at) => {
      const number = decimalAt(message, at + expectedDigits, DIGITS);
      if (!(sentNs[number] > 0)) return fail(`an answer to request ${number}, which is not waiting for one`);
      latencyNs[number] = Bun.nanoseconds() - sentNs[number];
      sentNs[number] = 0;
      answered++;
      if (sent < end) sendNext();
      else if (answered === end) finished?.();
    },
    onRead: (_messages, self) => batch.sendOn(self),
  });
  connection.send(`SUB ${INBOX}.* ${SID}\r\n`);
  await connection.flush();

  const runTo = (last: number): Promise<void> => new Promise((resolve) => {
    end = last;
    finished = resolve;
    while (sent < end && sent - answered < spec.inFlight) sendNext();
    batch.sendOn(connection);
  });
  await runTo(warmUp);
  const window = await measure(target, () => runTo(total));
  const sorted = latencyNs.subarray(warmUp).sort();
  return [
    ...rateFigures(window, spec.requests, "requests"),
    { name: "p50", unit: "µs", better: "lower", value: percentile(sorted, 0.5) / 1000 },
    { name: "p99", unit: "µs", better: "lower", value: percentile(sorted, 0.99) / 1000 },
    { name: "max", unit: "µs", better: "none", value: sorted[sorted.length - 1] / 1000 },
    memoryFigure(window),
  ];
}
