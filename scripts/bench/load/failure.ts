/**
 * The one way in which a run fails: a lost connection, an `-ERR`, a message that is not what was sent.
 *
 * Socket callbacks have nobody to throw to, so they call `fail`; the process, which does a single run, waits for its
 * work or for the first failure, whichever comes first.
 */
const failure = Promise.withResolvers<never>();
// The rejection is read by `orFailure`; a failure before that is not an unhandled one.
failure.promise.catch(() => {});

/** Ends the run with this reason. Only the first call counts. */
export function fail(reason: string): void {
  failure.reject(new Error(reason));
}

/** The result of `work`, or the first failure. */
export function orFailure<T>(work: Promise<T>): Promise<T> {
  return Promise.race([work, failure.promise]);
}
