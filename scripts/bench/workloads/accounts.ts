/**
 * The family `accounts`: what it costs that a message crosses from one account to another. Each workload comes in pairs, with all clients in one account and
 * with publisher and subscriber in two, on the same configuration.
 */
import type { LoadSpec } from "../load/spec.ts";
import { onFreshServer, runLoad, type Workload } from "./workload.ts";

const CONFIG = `
accounts {
  HOME { users: [ { user: home, password: home } ], exports: [ { stream: "bench.>" }, { service: "bench.request" } ] }
  PLAIN { users: [ { user: plain, password: plain } ], imports: [ { stream: { account: HOME, subject: "bench.>" } }, { service: { account: HOME, subject: "bench.request" } } ] }
  MAPPED { users: [ { user: mapped, password: mapped } ], imports: [ { stream: { account: HOME, subject: "bench.>" }, prefix: "from" } ] }
}`;

function workload(name: string, about: string, spec: (n: (count: number) => number) => LoadSpec): Workload {
  return {
    name,
    about,
    run: (setting) => onFreshServer({ ...setting, config: CONFIG }, "tcp", (target) => runLoad({ target, spec: spec((count) => Math.ceil(count * setting.scale)) })),
  };
}

function flow(name: string, about: string, subscriber: string, payloadBytes: number, messages: number, subscribers = 1): Workload {
  const users = { publisher: "home", subscriber };
  const receivedPrefix = subscriber === "mapped" ? "from." : "";
  return workload(name, about, (n) => ({ kind: "flow", users, receivedPrefix, subjects: "shared", publishers: 1, subscribers, payloadBytes, messages: n(messages) }));
}

function requests(name: string, about: string, publisher: string, inFlight: number, count: number): Workload {
  const users = { publisher, subscriber: "home" };
  return workload(name, about, (n) => ({ kind: "requests", users, crosses: publisher !== "home", inFlight, payloadBytes: 16, requests: n(count) }));
}

/** All workloads in the order in which they run. */
export function accountsWorkloads(): readonly Workload[] {
  return [
    flow("stay-16", "1 publisher, 1 subscriber in the same account, 16 B", "home", 16, 2_500_000),
    flow("stream-16", "1 publisher, 1 subscriber through a stream import, 16 B", "plain", 16, 2_500_000),
    flow("stream-to-16", "the same through an import with a prefix", "mapped", 16, 2_500_000),
    flow("stay-1k", "1 publisher, 1 subscriber in the same account, 1 KiB", "home", 1024, 800_000),
    flow("stream-1k", "1 publisher, 1 subscriber through a stream import, 1 KiB", "plain", 1024, 800_000),
    flow("stay-1to8", "1 publisher, 8 subscribers in the same account, 16 B", "home", 16, 500_000, 8),
    flow("stream-1to8", "1 publisher, 8 subscribers through a stream import, 16 B", "plain", 16, 500_000, 8),
    requests("stay-req-1", "requests one after the other in one account, 16 B", "home", 1, 10_000),
    requests("service-1", "requests one after the other through a service import, 16 B", "plain", 1, 10_000),
    requests("stay-req-100", "100 requests in flight in one account, 16 B", "home", 100, 300_000),
    requests("service-100", "100 requests in flight through a service import, 16 B", "plain", 100, 300_000),
  ];
}
