/**
 * Publishers and subscribers at full speed: 0:n, 1:1, 1:n, n:1, n:n and queue groups.
 *
 * The measured window begins with the first publish after a warm-up over the same connections (a fifth as many
 * messages, for code that is compiled as it runs) and ends when the last message has been received or, without
 * subscribers, when the server has answered a PING behind the last publish.
 */
import type { Figure } from "../figures.ts";
import { Connection, login } from "./connection.ts";
import { Deliveries, pump } from "./pump.ts";
import type { FlowSpec, Target } from "./spec.ts";
import { measure, memoryFigure, rateFigures } from "./window.ts";
import { chunkOf, delivery, publish } from "./wire.ts";
import type { MessageShape } from "./wire.ts";

const SID = 1;
const WARM_UP_FRACTION = 1 / 5;

export async function runFlow(spec: FlowSpec, target: Target): Promise<Figure[]> {
  const shapeOf = (index: number): MessageShape => ({
    subject: spec.subjects === "shared" ? "bench.flow" : `bench.flow.${index}`,
    payloadBytes: spec.payloadBytes, headers: spec.headers,
  });
  const receivedOf = (index: number): MessageShape => ({ ...shapeOf(index), subject: `${spec.receivedPrefix ?? ""}${shapeOf(index).subject}` });
  const deliveries = new Deliveries(delivery(receivedOf(0), SID).length);
  const subscribers = await Promise.all(Array.from({ length: spec.subscribers }, async (_, index) => {
    const shape = receivedOf(index);
    const connection = await Connection.open(target, { message: delivery(shape, SID), onRead: (n) => deliveries.add(n), connect: login(spec.users?.subscriber) });
    connection.send(`SUB ${shape.subject} ${spec.queue === undefined ? "" : `${spec.queue} `}${SID}\r\n`);
    await connection.flush();
    return connection;
  }));

  const copies = spec.subscribers === 0 ? 0 : spec.subjects === "distinct" || spec.queue !== undefined ? 1 : spec.subscribers;
  const publishers = await Promise.all(Array.from({ length: spec.publishers }, async (_, index) => {
    const connection = await Connection.open(target, { connect: login(spec.users?.publisher) });
    const { bytes, messages } = chunkOf(publish(shapeOf(index)));
    const encoded = connection.encode(bytes);
    return { connection, messages, chunk: () => encoded };
  }));

  /** Publishes about `total` messages and waits for all deliveries. Returns how many were published. */
  const publishAll = async (total: number): Promise<number> => {
    const counts = await Promise.all(publishers.map(async ({ connection, messages, chunk }) => {
      const chunks = Math.max(1, Math.ceil(total / publishers.length / messages));
      await pump(connection, { chunk, chunks, deliveriesPerChunk: messages * copies }, deliveries);
      if (copies === 0) await connection.flush();
      return chunks * messages;
    }));
    await deliveries.settled();
    return counts.reduce((sum, count) => sum + count, 0);
  };

  const warmUp = await publishAll(spec.messages * WARM_UP_FRACTION);
  let published = 0;
  const window = await measure(target, async () => {
    published = await publishAll(spec.messages);
  });

  await Promise.all([...subscribers, ...publishers.map((publisher) => publisher.connection)].map((connection) => connection.flush()));
  checkShares(spec, subscribers, warmUp + published);
  const count = copies === 0 ? published : published * copies;
  const megabytes = (count * spec.payloadBytes) / 2 ** 20;
  return [
    ...rateFigures(window, count, "msgs"),
    { name: "payload", unit: "MiB/s", better: "higher", value: megabytes / window.seconds },
    memoryFigure(window),
  ];
}

/** Every subscriber must have what was meant for it; of a queue group, that each member had some is all that is certain. */
function checkShares(spec: FlowSpec, subscribers: readonly Connection[], published: number): void {
  const due = spec.subjects === "distinct" ? published / spec.publishers : published;
  const sum = subscribers.reduce((total, { stream }) => total + stream.messages, 0);
  const whole = spec.queue === undefined ? subscribers.every(({ stream }) => stream.messages === due) : sum === published && subscribers.every(({ stream }) => stream.messages > 0);
  if (whole) return;
  throw new Error(`subscribers received ${subscribers.map(({ stream }) => stream.messages).join(", ")} of ${published} messages`);
}
