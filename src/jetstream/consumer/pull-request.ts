/**
 * Pull requests as they arrive: what a client asks for, and how that is read from a payload. Clients send the same text again and again, so what it means is
 * remembered. Spec: consumers, section 8.1.
 */
import { parseInteger } from "./integer.ts";
import { bool, decodeJson, duration, int, int64, object, text } from "../json/index.ts";

export interface PullOptions {
  /** Messages wanted, as written: 0 and less act as 1. */
  readonly batch: number;
  /** Milliseconds; 0: none. */
  readonly expiresMs: number;
  readonly noWait: boolean;
  /** 0: no budget. */
  readonly maxBytes: number;
  /** Milliseconds; 0: none. */
  readonly heartbeatMs: number;
  /** Priority groups concern only requests in JSON. */
  readonly isJson: boolean;
  readonly group: string;
  readonly minPending: number;
  readonly minAckPending: number;
  /** Pin that the client believes to have. */
  readonly id: string;
  readonly priority: number;
}

/** Requests without JSON come after all that state a priority. */
const PRIORITY_PLAIN = 10;

const ONE: PullOptions = {
  batch: 1,
  expiresMs: 0,
  noWait: false,
  maxBytes: 0,
  heartbeatMs: 0,
  isJson: false,
  group: "",
  minPending: 0,
  minAckPending: 0,
  id: "",
  priority: PRIORITY_PLAIN,
};

const shape = object({
  batch: int,
  expires: duration,
  no_wait: bool,
  max_bytes: int,
  idle_heartbeat: duration,
  group: text,
  min_pending: int64,
  min_ack_pending: int64,
  id: text,
  priority: int,
});

const KNOWN_MAX = 64;
/** Longer payloads are rare, and not worth keeping. */
const KNOWN_LENGTH_MAX = 256;
const known = new Map<string, PullOptions>();

/** Reads the payload, a byte string. Throws `JsonError`. */
export function parsePullRequest(payload: string): PullOptions {
  if (payload === "") return ONE;
  const remembered = known.get(payload);
  if (remembered !== undefined) return remembered;
  const options = parse(payload.trim());
  if (payload.length <= KNOWN_LENGTH_MAX) {
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(payload, options);
  }
  return options;
}

function parse(payload: string): PullOptions {
  if (payload.startsWith("{")) return fromJson(payload);
  const batch = parseInteger(payload) ?? 1;
  return { ...ONE, batch };
}

function fromJson(payload: string): PullOptions {
  const raw = decodeJson(Buffer.from(payload, "latin1").toString("utf8"), shape, false);
  return {
    batch: raw.batch ?? 0,
    expiresMs: (raw.expires ?? 0) / 1e6,
    noWait: raw.no_wait ?? false,
    maxBytes: raw.max_bytes ?? 0,
    heartbeatMs: (raw.idle_heartbeat ?? 0) / 1e6,
    isJson: true,
    group: raw.group ?? "",
    minPending: raw.min_pending ?? 0,
    minAckPending: raw.min_ack_pending ?? 0,
    id: raw.id ?? "",
    priority: raw.priority ?? 0,
  };
}
