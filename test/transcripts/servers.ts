/**
 * The servers that transcripts run against. Transcripts with the same setup share one process, one after the other; a
 * transcript hands its server back clean (no connection, no subscription left over from it, JetStream not used) or the process is stopped.
 * A few idle servers are kept, the least recently used one makes room.
 */

import { deadlineIn } from '../support/deadline.ts';
import { ServerProcess, type ServerSetup } from '../support/server-process.ts';

const IDLE_MAX = 4;

interface Counters {
  readonly connections: number;
  readonly subscriptions: number;
  /** Requests that JetStream had. */
  readonly requests: number;
}

interface Idle {
  readonly key: string;
  readonly server: ServerProcess;
  readonly baseline: Counters | undefined;
}

/** A server in use by one transcript. */
export interface Lease {
  readonly server: ServerProcess;
  /** Hands the server back. `reusable` false stops it. */
  release(reusable: boolean): Promise<void>;
}

async function counters(server: ServerProcess): Promise<Counters | undefined> {
  const { monitoring } = server.ports;
  if (monitoring?.scheme !== 'http') return undefined;
  try {
    const site = `http://${monitoring.host}:${monitoring.port}`;
    const answer = await fetch(`${site}/varz`);
    if (!answer.ok) return undefined;
    const { connections, subscriptions } = (await answer.json()) as Partial<Counters>;
    if (connections === undefined || subscriptions === undefined) return undefined;
    const { api } = (await (await fetch(`${site}/jsz`)).json()) as { api?: { total?: number } };
    return { connections, subscriptions, requests: api?.total ?? 0 };
  } catch {
    return undefined;
  }
}

/** So many subscriptions may be new of which no connection is the owner: an account that answers requests of others has one for the answers, from the first on. */
const SURPLUS_MAX = 4;
/** How long such a surplus must stay the same. */
const STEADY_MS = 60;

/** Waits until nothing of the last transcript is left in the server; returns how it looks then, undefined when that does not come true. */
async function becomesClean(server: ServerProcess, baseline: Counters | undefined): Promise<Counters | undefined> {
  if (baseline === undefined) return undefined;
  let surplus = 0;
  let steadySince = 0;
  for (const end = deadlineIn(1000); performance.now() < end; ) {
    const now = await counters(server);
    if (now === undefined) return undefined;
    // The reference goes on working on a stream after it said that it is gone: whoever makes one of that name gets to feel it.
    if (now.requests !== baseline.requests) return undefined;
    if (now.connections > 0) continue;
    if (now.subscriptions === baseline.subscriptions) return now;
    if (now.subscriptions - baseline.subscriptions !== surplus) {
      surplus = now.subscriptions - baseline.subscriptions;
      steadySince = performance.now();
    } else if (surplus > 0 && surplus <= SURPLUS_MAX && performance.now() - steadySince > STEADY_MS) return now;
  }
  return undefined;
}

export class ServerPool {
  readonly #idle: Idle[] = [];

  /** A running server of this setup: an idle one unless `alone`, else a new one. */
  async lease(setup: ServerSetup, alone: boolean): Promise<Lease> {
    const key = JSON.stringify(setup);
    const at = alone ? -1 : this.#idle.findIndex((candidate) => candidate.key === key);
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    const server = found?.server ?? (await ServerProcess.start(setup));
    const baseline = found?.baseline ?? (alone ? undefined : await counters(server));
    return {
      server,
      release: async (reusable) => {
        const clean = reusable && !alone ? await becomesClean(server, baseline) : undefined;
        if (clean === undefined) return server.stop();
        this.#idle.unshift({ key, server, baseline: clean });
        await Promise.all(this.#idle.splice(IDLE_MAX).map((surplus) => surplus.server.stop()));
      },
    };
  }

  /** Stops every idle server. */
  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((idle) => idle.server.stop()));
  }
}
