/**
 * Deadlines for tests. A test never sleeps to let something happen: it waits for the event, and a deadline only bounds
 * how long a failure takes. NATS_TEST_PATIENCE (a number, default 1) multiplies every deadline, for a machine that is
 * much slower or busier than usual.
 */

const patience = Number(process.env['NATS_TEST_PATIENCE'] ?? '1') || 1;

/** What a wait throws when its deadline passes. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** The moment, on the `performance.now()` scale, at which a wait of `milliseconds` (times the patience) ends. */
export function deadlineIn(milliseconds: number): number {
  return performance.now() + milliseconds * patience;
}

/** Settles like `promise`, or rejects with a {@link DeadlineError} naming `what` after `milliseconds`. */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expiry = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`${what}: nothing within ${milliseconds} ms`)), milliseconds * patience);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Calls `attempt` until it returns something other than undefined, with a short pause between calls; for conditions that
 * offer no event to await. Rejects with a {@link DeadlineError} after `milliseconds`.
 */
export async function poll<T>(milliseconds: number, what: string, attempt: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = deadlineIn(milliseconds);
  for (;;) {
    const result = await attempt();
    if (result !== undefined) return result;
    if (performance.now() > end) throw new DeadlineError(`${what}: not within ${milliseconds} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
