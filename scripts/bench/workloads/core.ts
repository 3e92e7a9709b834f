/**
 * The family `core`: publish and subscribe, requests, subscriptions, connections, and the server's own weight.
 *
 * Counts are chosen so that a run of the reference server takes one to three seconds on two cores.
 */
import type { FlowSpec } from "../load/spec.ts";
import { lifecycleWorkloads } from "./lifecycle.ts";
import { natsCliWorkloads } from "./nats-cli.ts";
import { loadWorkload } from "./workload.ts";
import type { Workload } from "./workload.ts";

type Flow = Omit<FlowSpec, "kind" | "subjects"> & { readonly distinct?: boolean };

function flow(name: string, about: string, { distinct, ...spec }: Flow, transport: "tcp" | "tls" | "ws" = "tcp"): Workload {
  const subjects = distinct ? "distinct" : "shared";
  return loadWorkload(name, about, (n) => ({ kind: "flow", subjects, ...spec, messages: n(spec.messages) }), transport);
}

function requests(name: string, about: string, inFlight: number, count: number): Workload {
  return loadWorkload(name, about, (n) => ({ kind: "requests", inFlight, payloadBytes: 16, requests: n(count) }));
}

/** All workloads in the order in which they run. `cli` is the path of the `nats` program, if there is one. */
export function coreWorkloads(cli: string | undefined): readonly Workload[] {
  return [
    flow("pub-only-16", "1 publisher, nobody subscribed, 16 B", { publishers: 1, subscribers: 0, payloadBytes: 16, messages: 6_000_000 }),
    flow("pub-only-128", "1 publisher, nobody subscribed, 128 B", { publishers: 1, subscribers: 0, payloadBytes: 128, messages: 5_000_000 }),
    flow("1to1-16", "1 publisher, 1 subscriber, 16 B", { publishers: 1, subscribers: 1, payloadBytes: 16, messages: 2_500_000 }),
    flow("1to1-128", "1 publisher, 1 subscriber, 128 B", { publishers: 1, subscribers: 1, payloadBytes: 128, messages: 2_000_000 }),
    flow("1to1-1k", "1 publisher, 1 subscriber, 1 KiB", { publishers: 1, subscribers: 1, payloadBytes: 1024, messages: 800_000 }),
    flow("1to1-64k", "1 publisher, 1 subscriber, 64 KiB", { publishers: 1, subscribers: 1, payloadBytes: 65536, messages: 16_000 }),
    flow("1to8-16", "1 publisher, 8 subscribers, 16 B", { publishers: 1, subscribers: 8, payloadBytes: 16, messages: 500_000 }),
    flow("1to8-128", "1 publisher, 8 subscribers, 128 B", { publishers: 1, subscribers: 8, payloadBytes: 128, messages: 400_000 }),
    flow("8to1-16", "8 publishers, 1 subscriber, 16 B", { publishers: 8, subscribers: 1, payloadBytes: 16, messages: 3_000_000 }),
    flow("8to8-16", "8 pairs on a subject each, 16 B", { publishers: 8, subscribers: 8, distinct: true, payloadBytes: 16, messages: 3_000_000 }),
    flow("queue4-16", "1 publisher, a queue group of 4, 16 B", { publishers: 1, subscribers: 4, queue: "workers", payloadBytes: 16, messages: 2_000_000 }),
    requests("reqrep-1", "requests one after the other, 16 B", 1, 10_000),
    requests("reqrep-100", "100 requests in flight, 16 B", 100, 300_000),
    loadWorkload("wild-100k", "100,000 wildcard subscriptions, every subject new, half of them matching", (n) => ({
      kind: "wildcards", subscriptions: n(100_000), connections: 10, payloadBytes: 16, messages: n(600_000),
    })),
    flow("headers", "1 publisher, 1 subscriber, 3 headers and 128 B", { publishers: 1, subscribers: 1, headers: true, payloadBytes: 128, messages: 1_200_000 }),
    flow("tls-1to1-128", "1 publisher, 1 subscriber, 128 B, TLS", { publishers: 1, subscribers: 1, payloadBytes: 128, messages: 1_200_000 }, "tls"),
    flow("ws-1to1-128", "1 publisher, 1 subscriber, 128 B, WebSocket", { publishers: 1, subscribers: 1, payloadBytes: 128, messages: 1_500_000 }, "ws"),
    loadWorkload("connect-5000", "5,000 connections opened and kept", (n) => ({ kind: "connects", connections: n(5000), concurrency: 64 })),
    loadWorkload("rss-1m-subs", "1,000,000 literal subscriptions on 10 connections", (n) => ({ kind: "subscribes", subscriptions: n(1_000_000), connections: 10 })),
    ...lifecycleWorkloads,
    ...natsCliWorkloads(cli),
  ];
}
