/** Which changes of a consumer's configuration are allowed. Spec: consumers, section 3. */
import { apiError } from "../api/errors.ts";
import type { ConsumerConfig } from "../wire.ts";
import { filtersOf } from "./effective.ts";
import { ownMetadata } from "./metadata.ts";
import { instantOf } from "./start.ts";

/** Fields that stay as they are, in the order in which they are checked. */
const FIXED: readonly (readonly [field: keyof ConsumerConfig, text: string])[] = [
  ["deliver_policy", "deliver policy"],
  ["mem_storage", "storage type"],
  ["direct", "direct"],
  ["sourcing", "sourcing"],
  ["opt_start_seq", "start sequence"],
  ["opt_start_time", "start time"],
  ["ack_policy", "ack policy"],
  ["replay_policy", "replay policy"],
  ["idle_heartbeat", "heart beats"],
  ["flow_control", "flow control"],
];

/** Throws `ApiError`. Both are normalised. `isBound`: somebody subscribes to the present deliver subject. */
export function checkUpdate(previous: ConsumerConfig, next: ConsumerConfig, isBound: () => boolean): void {
  const refuse = (err: string): Error => apiError(10012, { err });
  for (const [field, text] of FIXED) if (!same(field, previous, next)) throw refuse(`${text} can not be updated`);
  if (previous.deliver_subject === undefined && next.deliver_subject !== undefined) throw refuse("can not update pull consumer to push based");
  if (previous.deliver_subject !== undefined && next.deliver_subject === undefined) throw refuse("can not update push consumer to pull based");
  if (previous.deliver_subject !== next.deliver_subject && isBound()) throw apiError(10013);
  if (previous.max_waiting !== next.max_waiting) throw refuse("max waiting can not be updated");
}

/** Times may be written in several ways. */
function same(field: keyof ConsumerConfig, previous: ConsumerConfig, next: ConsumerConfig): boolean {
  if (previous[field] === next[field]) return true;
  if (field !== "opt_start_time" || previous.opt_start_time === undefined || next.opt_start_time === undefined) return false;
  const [a, b] = [instantOf(previous.opt_start_time), instantOf(next.opt_start_time)];
  return a.seconds === b.seconds && a.nanos === b.nanos;
}

/** Whether two normalised configurations say the same, but for what the server itself adds to the metadata. */
export function sameConfig(a: ConsumerConfig, b: ConsumerConfig): boolean {
  return JSON.stringify({ ...a, metadata: ownMetadata(a) }) === JSON.stringify({ ...b, metadata: ownMetadata(b) });
}

/** Whether both take the same messages, whatever the order of the filters. */
export function sameFilters(a: ConsumerConfig, b: ConsumerConfig): boolean {
  return JSON.stringify([...filtersOf(a)].sort()) === JSON.stringify([...filtersOf(b)].sort());
}
