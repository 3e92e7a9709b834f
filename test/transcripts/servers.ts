/**
 * The servers that transcripts run against. Transcripts with the same setup share one process, one after the other; a
 * transcript hands its server back clean (no connection, no subscription left over from it, JetStream not used) or the process is stopped.
 * A few idle servers are kept, the least recently used one makes room.
 */

import { deadlineIn } from '../support/deadline.ts';
import { ServerProcess, type ServerSetup } from '../support/server-process.ts';

const IDLE_MAX = 4;
/** So many equal answers in a row mean that nothing is on its way out any more. */
const STEADY = 4;

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

/**
 * Waits until nothing of the last transcript is left in the server; undefined when that does not come true. What is left are the server's own subscriptions: more
 * than before when an account was loaded or a service was asked across accounts, and then the same in several answers.
 */
async function becomesClean(server: ServerProcess, baseline: Counters | undefined): Promise<Counters | undefined> {
  if (baseline === undefined) return undefined;
  let seen = -1;
  let times = 0;
  for (const end = deadlineIn(1000); performance.now() < end; ) {
    const now = await counters(server);
    if (now === undefined) return undefined;
    // The reference goes on working on a stream after it said that it is gone: whoever makes one of that name gets to feel it.
    if (now.requests !== baseline.requests) return undefined;
    if (now.connections > 0) continue;
    times = now.subscriptions === seen ? times + 1 : 1;
    seen = now.subscriptions;
    if (seen === baseline.subscriptions || (seen > baseline.subscriptions && times === STEADY)) return now;
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
