/** What a consumer's configuration amounts to, in the context of its stream. */
import type { ConsumerStream } from "../seams.ts";
import type { ConsumerConfig } from "../wire.ts";

/** How many replicas the consumer would have: decides on the tier of limits. */
export function effectiveReplicas(stream: ConsumerStream, config: ConsumerConfig): number {
  const { num_replicas: streamReplicas, retention } = stream.config;
  if (config.num_replicas > 0) return Math.min(config.num_replicas, streamReplicas);
  return config.durable_name === undefined && retention === "limits" ? 1 : streamReplicas;
}

/** Filters of a configuration, as text. No entry: everything. */
export function filtersOf(config: ConsumerConfig): readonly string[] {
  if (config.filter_subjects !== undefined) return config.filter_subjects;
  return config.filter_subject === undefined ? [] : [config.filter_subject];
}

/** Whether what the consumer remembers is kept across restarts. */
export function isPersistent(stream: ConsumerStream, config: ConsumerConfig): boolean {
  return stream.consumerFolder !== undefined && stream.config.storage === "file" && config.mem_storage !== true && config.direct !== true;
}
