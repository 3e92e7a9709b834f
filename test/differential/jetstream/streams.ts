/**
 * Sessions about streams: configurations, what is published, what is read and removed. At the end everything that can be seen is compared: usage, streams, their
 * messages, what was republished, and what advisories told.
 */
import type { Prng } from "../prng.ts";
import { comparableMessage, comparableMessages } from "./comparable.ts";
import type { Request, Side } from "./pair.ts";
import type { Inbox } from "./peer.ts";
import { requestStep, type Session, type Step } from "./session.ts";
import { wholeState } from "./state.ts";
import { changed, type ConfigMade, damagedJson, streamConfig } from "./streams-config.ts";
import { atomicBatch, type FastMessage, fastBatch, publication } from "./streams-publish.ts";
import { accountInfo, directGet, info, lists, messageDelete, messageGet, others, purge, snapshots, streamDelete } from "./streams-read.ts";

/** Long enough for mirrors and sources to begin, which they do after up to 200 ms, and to try again after 2 s. */
const SETTLED_MS = 4000;
const QUIET_MS = 500;

/** Hears what is republished and what advisories say. */
const HEARD: readonly string[] = ["rep.>", "$JS.EVENT.ADVISORY.STREAM.>"];

export const LISTEN: Step = {
  text: "(listen)",
  run: (pair) =>
    pair.each(async (side) => {
      const { A } = side.peers;
      side.memory.set("heard", HEARD.map((subject) => A.subscribe(subject)));
      await A.sync();
      return [];
    }),
};

function heard(side: Side): readonly string[] {
  const subscriptions = (side.memory.get("heard") ?? []) as readonly { readonly inbox: Inbox }[];
  // That a restore was given up is told seconds later, maybe to the next session.
  return subscriptions.flatMap(({ inbox }) => inbox.messages.filter(({ subject }) => !subject.includes(".RESTORE_COMPLETE.")).map(comparableMessage));
}

/** The last step of a session. */
export function everything(milliseconds: number, withUsage = true): Step {
  const seen = async (side: Side): Promise<readonly string[]> => [...(await wholeState(side)).filter((text) => withUsage || !text.startsWith("INFO ")), ...heard(side)];
  return { text: "(everything)", run: (pair) => pair.eventually(seen, milliseconds) };
}

/** Sends one message of a fast batch and takes what comes back within a moment. */
function fastStep({ request, control }: FastMessage): Step {
  const step = requestStep(request);
  return {
    text: `FAST ${control} ${step.text}`,
    run: (pair) =>
      pair.each(async (side) => {
        const peer = side.peer(request);
        const prefix = peer.newReply();
        const { sid, inbox } = peer.subscribe(`${prefix}.>`);
        peer.publish({ ...request, reply: `${prefix}.${control}` });
        // Most are answered by silence.
        await inbox.until(() => inbox.messages.length > 0, pair.silenceMs / 5);
        // Some have two answers.
        await inbox.until(() => inbox.messages.length > 1, pair.silenceMs / 20);
        peer.unsubscribe(sid);
        return comparableMessages(inbox.messages).map((text) => text.replaceAll(`${prefix}.`, ""));
      }),
  };
}

/** Takes a message of a consumer, and settles it. */
function fetchStep(random: Prng): Step {
  const [stream, consumer, word] = [random.chance(0.7) ? "S1" : "S2", random.pick(CONSUMERS), random.pick(["+ACK", "+ACK", "+ACK", "+TERM", "-NAK"])];
  return {
    text: `FETCH ${consumer} of ${stream}, ${word}`,
    run: (pair) =>
      pair.each(async (side) => {
        const messages = await side.request({ subject: `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, payload: '{"batch":1,"no_wait":true}' }, pair.silenceMs);
        const reply = messages[0]?.reply ?? "";
        if (reply === "") return comparableMessages(messages);
        return [...comparableMessages(messages), ...comparableMessages(await side.request({ subject: reply, payload: word }, pair.silenceMs))];
      }),
  };
}

const CONSUMERS = ["C1", "C2"] as const;

/** A consumer as simple as can be: it is there for what a stream does when it is done with a message. Filters stay; what a change of them does is for who hunts for consumers. */
function consumer(random: Prng): Request {
  const [stream, name] = [random.chance(0.7) ? "S1" : "S2", random.pick(CONSUMERS)];
  if (random.chance(0.15)) return { subject: `$JS.API.CONSUMER.DELETE.${stream}.${name}` };
  const config = { name, durable_name: name, ack_policy: random.pick(["explicit", "explicit", "explicit", "none"]), ...(name === "C1" ? {} : { filter_subject: stream === "S1" ? "a.2" : "b.1" }) };
  return { subject: `$JS.API.CONSUMER.CREATE.${stream}.${name}`, payload: JSON.stringify({ stream_name: stream, config }) };
}

/** What a session is about decides how often it does what. */
interface Mood {
  readonly odd: number;
  readonly copies: number;
  /** Streams whose messages go when consumers are done with them. */
  readonly consumes?: boolean;
  readonly weights: Readonly<Record<string, number>>;
}

const ALL = { create: 6, update: 5, publish: 30, atomic: 3, fast: 1, get: 6, direct: 8, remove: 5, purge: 4, info: 4, lists: 2, account: 2, drop: 1, snapshots: 1, others: 0.3 };

const MOODS: readonly Mood[] = [
  { odd: 0.15, copies: 0, weights: ALL },
  { odd: 0.05, copies: 0, weights: { ...ALL, create: 1, update: 2 } },
  { odd: 0.6, copies: 0.1, weights: { create: 20, update: 10, info: 2, lists: 1, publish: 2 } },
  { odd: 0.05, copies: 0.5, weights: { ...ALL, create: 5, update: 4, direct: 3, get: 2, account: 0 } },
  { odd: 0, copies: 0, consumes: true, weights: { create: 1, update: 2, publish: 12, consumer: 8, fetch: 14, remove: 2, purge: 1, info: 2 } },
  { odd: 0, copies: 0, weights: { create: 1, atomic: 10, fast: 10, publish: 5, update: 1 } },
  { odd: 0, copies: 0, weights: { create: 1, publish: 12, direct: 15, get: 8, remove: 4, purge: 3 } },
];

function weighted(random: Prng, weights: Readonly<Record<string, number>>): string {
  let left = random.fraction() * Object.values(weights).reduce((sum, each) => sum + each, 0);
  for (const [name, weight] of Object.entries(weights)) {
    left -= weight;
    if (left < 0) return name;
  }
  return "publish";
}

const READS: Readonly<Record<string, (random: Prng) => Request>> = { get: messageGet, direct: directGet, remove: messageDelete, purge, info, lists, account: accountInfo, drop: streamDelete, snapshots, others };

/** A session of any kind. */
export function streamsSession(random: Prng, configuration: string): Session {
  return session(random, random.pick(MOODS), configuration);
}

/** A session that waits for nothing. */
export function quickStreamsSession(random: Prng, configuration: string): Session {
  return session(random, random.pick(MOODS.filter(({ copies }) => copies === 0)), configuration);
}

/** A session of streams that copy each other. */
export function copiesSession(random: Prng, configuration: string): Session {
  return session(random, random.pick(MOODS.filter(({ copies }) => copies >= 0.5)), configuration);
}

function session(random: Prng, mood: Mood, configuration: string): Session {
  const inB = random.chance(0.12);
  const placed = (request: Request): Request => {
    const throughDomain = configuration === "domain" && random.chance(0.2) && !/[*>]|\.$/.test(request.subject);
    return { ...request, ...(inB ? { account: "B" } : {}), subject: throughDomain ? request.subject.replace(/^\$JS\.API\./, "$JS.D.API.") : request.subject };
  };
  const steps: Step[] = [LISTEN];
  const made: ConfigMade[] = [];
  const configure = (verb: string, config: ConfigMade): void => {
    const text = JSON.stringify(config.fields);
    const name = random.chance(0.98) ? config.name : random.pick(["S1", "other", "S1.x"]);
    steps.push(requestStep(placed({ subject: `$JS.API.STREAM.${verb}.${name}`, payload: random.chance(0.03 * (mood.odd > 0 ? 1 : 0)) ? damagedJson(random, text) : text })));
  };
  const create = (name?: string): void => {
    const config = made.length > 0 && random.chance(0.15) ? random.pick(made) : streamConfig(random, { odd: mood.odd, copies: mood.copies, ...(name === undefined ? {} : { name }) });
    if (mood.consumes === true) config.fields["retention"] = random.pick(["interest", "interest", "workqueue"]);
    made.push(config);
    configure("CREATE", config);
  };
  create(random.chance(0.9) ? "S1" : undefined);
  // Where nothing was ever published the reference counts from 1 once a consumer went.
  if (mood.consumes === true) for (const subject of ["a.2", "b.1"]) steps.push(requestStep(placed({ subject })));
  for (let count = 4 + random.below(26); count > 0; count--) {
    const act = weighted(random, mood.weights);
    if (act === "create") create();
    else if (act === "update") configure("UPDATE", changed(random, random.pick(made), mood.odd));
    else if (act === "publish") for (const request of random.some(1, 4, () => publication(random))) steps.push(requestStep(placed(request)));
    // A batch beyond the limits of an account is not answered by the reference.
    else if (act === "atomic" && inB) continue;
    else if (act === "atomic") for (const request of atomicBatch(random)) steps.push(requestStep(placed(request)));
    else if (act === "fetch") steps.push(fetchStep(random));
    else if (act === "consumer") steps.push(requestStep(placed(consumer(random))));
    else if (act === "fast") for (const message of fastBatch(random)) steps.push(fastStep({ ...message, request: placed(message.request) }));
    else {
      const read = READS[act];
      if (read !== undefined) steps.push(requestStep(placed(read(random))));
    }
  }
  // Consumers of streams that copied stay for a while in the reference, and count.
  steps.push(everything(mood.copies > 0 ? SETTLED_MS : QUIET_MS, mood.copies === 0));
  return steps;
}
