/** Whether a stream takes one more consumer. Spec: consumers, sections 12.2 and 13. */
import { hasWildcard, subjectMatches, subjectsOverlap } from "../../routing/index.ts";
import { toByteString } from "../../util/bytes.ts";
import { apiError } from "../api/errors.ts";
import type { ConsumerStream } from "../seams.ts";
import type { ConsumerConfig } from "../wire.ts";
import type { Consumer } from "./consumer.ts";
import { effectiveReplicas, filtersOf } from "./effective.ts";

/** Whether other streams, and not clients, use the consumer. */
function isInternal(config: ConsumerConfig): boolean {
  return config.direct === true || config.sourcing === true;
}

/** Throws 10026 when no more consumers are allowed than there are. Those that other streams copy from do not count. */
export function checkCapacity(stream: ConsumerStream, config: ConsumerConfig, present: Iterable<Consumer>): void {
  if (isInternal(config)) return;
  const bounds = [stream.config.max_consumers, stream.account.limitsFor(effectiveReplicas(stream, config)).max_consumers].filter((bound) => bound > 0);
  if (bounds.length === 0) return;
  let left = Math.min(...bounds);
  for (const other of present) if (!isInternal(other.config)) left--;
  if (left <= 0) throw apiError(10026);
}

/**
 * Throws when a work queue would have two consumers for one message. A consumer that changes may lose its filters, as on the reference server; two consumers
 * share the messages then.
 */
export function checkWorkQueue(stream: ConsumerStream, config: ConsumerConfig, isNew: boolean, others: Iterable<Consumer>): void {
  if (stream.config.retention !== "workqueue" || isInternal(config)) return;
  if (isNew) {
    if (config.ack_policy !== "explicit" && config.ack_policy !== "flow_control") throw apiError(10098);
    if (config.deliver_policy !== "all") throw apiError(10101);
  }
  const filters = filtersOf(config).map(toByteString);
  for (const other of others) {
    if (isInternal(other.config)) continue;
    if (filters.length === 0 && isNew) throw apiError(10099);
    if (filters.length === 0) return;
    if (other.filters.length === 0) throw apiError(10100);
    for (const filter of filters) for (const taken of other.filters) if (collide(filter, taken)) throw apiError(10100);
  }
}

/** Literal subjects, by far the most frequent, are compared as such. */
function collide(a: string, b: string): boolean {
  if (a === b) return true;
  const wildA = hasWildcard(a);
  const wildB = hasWildcard(b);
  if (!wildA && !wildB) return false;
  if (!wildA) return subjectMatches(a, b);
  return wildB ? subjectsOverlap(a, b) : subjectMatches(b, a);
}
