/**
 * The order that the benchmark gives to a load process, as JSON in its first argument, and the answer it prints.
 *
 * A load process does one order and ends; it shares nothing with the server it drives but the wire.
 */
import type { Figure } from "../figures.ts";

/** How the load reaches the server. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly transport: "tcp" | "tls" | "ws";
  /** PEM file of the authority to trust; needed for `tls`. */
  readonly caFile?: string;
  /** The server's process, for its CPU time and memory. */
  readonly serverPid: number;
  /** Base address of the server's monitoring, `http://host:port`. */
  readonly monitorUrl: string;
}

/** Who connects as whom, where it matters; the password is the name. */
export interface Users {
  readonly publisher: string;
  readonly subscriber: string;
}

/** Publishers and subscribers at full speed. */
export interface FlowSpec {
  readonly kind: "flow";
  readonly users?: Users;
  /** What stands before the subject where it is received. */
  readonly receivedPrefix?: string;
  readonly publishers: number;
  readonly subscribers: number;
  /** `shared`: all on one subject. `distinct`: publisher i and subscriber i have subject i to themselves. */
  readonly subjects: "shared" | "distinct";
  /** Queue group of all subscribers; without it each subscriber gets every message. */
  readonly queue?: string;
  readonly payloadBytes: number;
  /** Publish with HPUB and three headers. */
  readonly headers?: boolean;
  /** Messages to publish in the measured window, over all publishers; rounded up to whole buffers. */
  readonly messages: number;
}

/** Requests with a wildcard inbox and a reply subject of its own each. */
export interface RequestsSpec {
  readonly kind: "requests";
  /** The publisher asks, the subscriber answers. */
  readonly users?: Users;
  /** The responder is in another account: it sees a reply subject of that account's. */
  readonly crosses?: boolean;
  readonly inFlight: number;
  readonly payloadBytes: number;
  readonly requests: number;
}

/** Many wildcard subscriptions, and a new subject with every message. */
export interface WildcardsSpec {
  readonly kind: "wildcards";
  /** At most 100,000: subjects number them with a fixed width. */
  readonly subscriptions: number;
  readonly connections: number;
  readonly payloadBytes: number;
  readonly messages: number;
}

/** Connections that are opened as fast as possible and kept. */
export interface ConnectsSpec {
  readonly kind: "connects";
  readonly connections: number;
  /** How many handshakes may be under way at once. */
  readonly concurrency: number;
}

/** Literal subscriptions that are made as fast as possible and kept. */
export interface SubscribesSpec {
  readonly kind: "subscribes";
  readonly subscriptions: number;
  readonly connections: number;
}

/** Work on one stream, named BENCH. */
export interface JetStreamSpec {
  readonly kind: "jetstream";
  readonly action:
    | "publish-sync" | "publish-async" | "pull" | "push" | "ordered" | "kv-put" | "kv-get" | "kv-watch"
    | "object" | "purge" | "delete" | "subjects" | "memory" | "assets" | "holds";
  readonly storage: "file" | "memory";
  /** Messages, requests or assets, whatever the action counts. */
  readonly count: number;
  readonly payloadBytes: number;
  readonly publishers?: number;
  readonly consumers?: number;
  /** Messages per pull request, or requests under way. */
  readonly batch?: number;
  /** Further fields of the stream's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
}

export type LoadSpec = FlowSpec | RequestsSpec | WildcardsSpec | ConnectsSpec | SubscribesSpec | JetStreamSpec;

export interface LoadOrder {
  readonly target: Target;
  readonly spec: LoadSpec;
}

/** What a load process prints: its figures, or why the run does not count. */
export type LoadAnswer = { readonly figures: readonly Figure[] } | { readonly error: string };
