/**
 * File stores on a machine that stops at any write or sync, and what is there when it starts again.
 *
 * Killed: nothing that was committed is missing, and nothing is there that was never appended. Without power: the same for what was committed with `always`; with an
 * interval, for what was synced. Sequences never go back behind what was committed, and what was removed and committed does not come back.
 */
import { describe, expect, test } from "bun:test";
import { type MessageStore, StoredMessage } from "../../../src/jetstream/store/index.ts";
import { CrashError } from "../../sim/disk.ts";
import { SeededRandom } from "../../sim/random.ts";
import { contents } from "./support/compare.ts";
import { Model } from "./support/model.ts";
import { ALWAYS, given, PLAIN, QUICK, World } from "./support/world.ts";

const SUBJECTS = ["a", "a.b", "a.c", "b.b", "a.b.c"];
const LIVES = 6;

interface Case {
  readonly name: string;
  readonly how: "kill" | "power";
  prepare(world: World): void;
}

const cases: readonly Case[] = [
  { name: "killed", how: "kill", prepare: () => undefined },
  { name: "killed, compressed", how: "kill", prepare: (world) => void (world.options = { ...PLAIN, compression: "s2" }) },
  { name: "killed, encrypted", how: "kill", prepare: (world) => void (world.encryption = { key: "k", previousKey: "", cipher: "aes" }) },
  { name: "without power, always", how: "power", prepare: (world) => void (world.options = ALWAYS) },
  {
    name: "without power, always, a quick device",
    how: "power",
    prepare: (world) => {
      world.options = ALWAYS;
      world.syncPace = QUICK;
    },
  },
  {
    name: "without power, always, encrypted and compressed",
    how: "power",
    prepare: (world) => {
      world.options = { ...ALWAYS, compression: "s2" };
      world.encryption = { key: "k", previousKey: "", cipher: "aes" };
    },
  },
];

describe("a store on a machine that stops", () => {
  for (const one of cases) {
    test(`keeps what it promised: ${one.name}`, async () => {
      for (let seed = 1; seed <= 60; seed++) {
        try {
          await live(one, seed);
        } catch (error) {
          throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
        }
      }
    }, 120_000);
  }
});

/** One store through some crashes. `promised` is the model as of the last commit, `said` as of the last operation. */
async function live(one: Case, seed: number): Promise<void> {
  const world = new World(seed);
  const whim = new SeededRandom(seed);
  world.maxBytes = 1;
  one.prepare(world);
  let said = new Model(() => 0);
  for (let life = 0; life < LIVES; life++) {
    world.disk.stopAfter(1 + whim.integer(whim.integer(2) === 0 ? 8 : 120), whim);
    // States as of each flush: a commit tells that the one of its flush is safe.
    let promised = said.clone();
    const flushed: Model[] = [];
    world.onCommitted = (seq) => {
      if (world.disk.isStopped) return;
      const isAlways = world.options.syncIntervalMs === "always";
      // A commit after a sync does not say which removals it covers: those of the first flush that it can mean.
      const last = isAlways ? (flushed.find(({ lastSeq }) => lastSeq === seq) ?? flushed.findLast(({ lastSeq }) => lastSeq < seq)) : flushed.at(-1);
      if (last !== undefined) promised = last;
    };
    try {
      const store = world.openFile();
      // The store flushes of its own accord, too.
      const flush = store.flush.bind(store);
      store.flush = () => {
        flushed.push(said.clone());
        flush();
      };
      compareAtStart(store, said);
      for (let step = 0; step < 150; step++) {
        operate(store, said, whim);
        if (whim.integer(4) === 0) store.flush();
        if (whim.integer(6) === 0) await world.turns(4);
        if (world.disk.isStopped) throw new CrashError();
      }
      store.close();
      if (world.disk.isStopped) throw new CrashError();
      promised = said.clone();
    } catch (error) {
      if (!(error instanceof CrashError) && !world.disk.isStopped) throw error;
      await world.turns(2);
    }
    world.onCommitted = undefined;
    world.forget();
    world.disk.restart(one.how, whim);
    const store = world.openFile();
    check(store, promised, said);
    said = adopt(store, said);
    store.close();
    world.forget();
  }
}

function operate(store: MessageStore, model: Model, whim: SeededRandom): void {
  const first = model.messages[0]?.seq ?? 0;
  const any = (): number => model.messages[whim.integer(Math.max(1, model.messages.length))]?.seq ?? 0;
  const kind = whim.integer(100);
  if (kind < 65) {
    const message = { subject: SUBJECTS[whim.integer(SUBJECTS.length)], seconds: model.lastSeq + 1, body: "x".repeat(whim.integer(10) === 0 ? 20_000 : whim.integer(300)) };
    store.append(given(message));
    model.append(message);
  } else if (kind < 78) {
    const seq = any();
    store.remove(seq, whim.integer(8) === 0);
    model.remove(seq);
  } else if (kind < 92) {
    store.remove(first, false);
    model.remove(first);
  } else if (kind < 95) {
    const seq = any();
    store.compact(seq);
    model.compact(seq);
  } else if (kind < 98) {
    store.skip(model.lastSeq + 3, model.lastSeq + 3, 0);
    model.skip(model.lastSeq + 3, model.lastSeq + 3, 0);
  } else if (kind === 99 && whim.integer(3) === 0) {
    store.clear();
    model.messages = [];
  }
}

function read(store: MessageStore): Map<number, Record<string, unknown>> {
  const into = new StoredMessage();
  const found = new Map<number, Record<string, unknown>>();
  for (let seq = store.next([], 0, into); seq !== 0; seq = store.next([], seq + 1, into)) found.set(seq, contents(into));
  return found;
}

function compareAtStart(store: MessageStore, model: Model): void {
  expect([...read(store).keys()]).toEqual(model.messages.map(({ seq }) => seq));
  expect(store.state.lastSeq).toBe(model.lastSeq);
}

function check(store: MessageStore, promised: Model, said: Model): void {
  const found = read(store);
  const appended = new Map(said.messages.map((message) => [message.seq, message]));
  // What was promised, and not removed since.
  const missing = promised.messages.filter(({ seq }) => !found.has(seq) && appended.has(seq)).map(({ seq }) => seq);
  expect({ missing }).toEqual({ missing: [] });
  expect(store.state.lastSeq).toBeGreaterThanOrEqual(promised.lastSeq);
  const kept = new Set(promised.messages.map(({ seq }) => seq));
  const back = [...found.keys()].filter((seq) => seq <= promised.lastSeq && !kept.has(seq));
  expect({ back }).toEqual({ back: [] });
  for (const [seq, message] of found) {
    const was = promised.messages.find((one) => one.seq === seq) ?? appended.get(seq);
    if (was === undefined) continue;
    expect(message).toMatchObject({ seq, subject: was.subject, body: was.body, seconds: was.seconds });
  }
}

/** What the store has is the truth from now on. */
function adopt(store: MessageStore, said: Model): Model {
  const model = said.clone();
  model.messages = [...read(store).values()].map((message) => ({ header: "", ...(message as object) })) as Model["messages"];
  model.lastSeq = store.state.lastSeq;
  return model;
}
