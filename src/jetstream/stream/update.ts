/** Which changes of a stream's configuration are allowed, and what they bring along. Spec: streams, section 4.3. */
import { apiError } from "../api/errors.ts";
import type { StreamConfig } from "../wire.ts";
import { type DraftConfig, invalidConfig } from "./config.ts";

/** Whether a stream may go from one configuration to the other; both are normalised. Returns the second with what follows from the change. Throws `ApiError`. */
export function checkUpdate(previous: StreamConfig, next: StreamConfig): StreamConfig {
  const config: DraftConfig = { ...next };
  if (config.num_replicas > 1) throw apiError(10074);
  if (config.storage !== previous.storage) throw invalidConfig("stream configuration update can not change storage type");
  if (config.retention !== previous.retention && (config.retention === "workqueue" || previous.retention === "workqueue"))
    throw invalidConfig("stream configuration update can not change retention policy to/from workqueue");
  if (previous.sealed && !config.sealed) throw invalidConfig("stream configuration update can not unseal a sealed stream");
  if (previous.deny_delete && !config.deny_delete) throw invalidConfig("stream configuration update can not cancel deny message deletes");
  if (previous.deny_purge && !config.deny_purge) throw invalidConfig("stream configuration update can not cancel deny purge");
  if (config.mirror !== undefined && JSON.stringify(config.mirror) !== JSON.stringify(previous.mirror)) throw apiError(10055);
  if (previous.allow_msg_ttl && !config.allow_msg_ttl) throw invalidConfig("message TTL status can not be disabled");
  if ((previous.allow_msg_counter ?? false) !== (config.allow_msg_counter ?? false)) throw invalidConfig("stream configuration update can not change message counter setting");
  if (previous.allow_msg_schedules && !config.allow_msg_schedules) throw invalidConfig("message schedules can not be disabled");
  if (previous.persist_mode !== config.persist_mode) throw invalidConfig("stream configuration update can not change persist mode");
  if (config.sealed) {
    config.max_age = 0;
    config.discard = "new";
    config.deny_delete = true;
    config.deny_purge = true;
    config.allow_rollup_hdrs = false;
  }
  return config;
}
