/** /healthz: may clients be sent here. Spec: monitoring, section 11. */
import type { Parameters } from "./params.ts";
import type { MonitorSource } from "./source.ts";

export interface HealthzOptions {
  readonly account: string;
  readonly stream: string;
  readonly consumer: string;
  readonly details: boolean;
  /** Looks no further than: the listeners, whether JetStream runs, the meta layer (which a single server has not). */
  readonly only: "listeners" | "enabled" | undefined;
}

type HealthErrorType = "CONNECTION" | "BAD_REQUEST" | "JETSTREAM" | "ACCOUNT" | "STREAM" | "CONSUMER";

interface HealthError {
  readonly type: HealthErrorType;
  readonly account?: string;
  readonly stream?: string;
  readonly consumer?: string;
  readonly error: string;
}

export interface Health {
  readonly status: "ok" | "error" | "unavailable";
  /** HTTP status; over NATS it is part of the data. */
  readonly code: number;
  readonly error?: string;
  readonly errors?: readonly HealthError[];
}

/** Reads the parameters in the order in which wrong ones are told. */
export function healthzOptions(parameters: Parameters): HealthzOptions {
  const enabled = [parameters.boolean("js-enabled"), parameters.boolean("js-enabled-only")].some(Boolean);
  const listeners = parameters.boolean("js-server-only");
  const meta = parameters.boolean("js-meta-only");
  return {
    details: parameters.boolean("details"),
    account: parameters.text("account"),
    stream: parameters.text("stream"),
    consumer: parameters.text("consumer"),
    only: listeners ? "listeners" : enabled || meta ? "enabled" : undefined,
  };
}

/** The first problem, or with `details` all of them. In lame duck mode no listener is open. */
export function healthz(source: MonitorSource, options: HealthzOptions): Health {
  const { details } = options;
  const bad = (error: string): Health => (details ? { status: "error", code: 400, errors: [{ type: "BAD_REQUEST", error }] } : { status: "error", code: 400, error });
  if (options.stream !== "" && options.account === "") return bad('"account" must not be empty when checking stream health');
  if (options.consumer !== "" && options.stream === "") return bad('"stream" must not be empty when checking consumer health');
  if (!source.listening) {
    const error = "failed to be ready for connections after 1ms: server";
    return details ? { status: "error", code: 500, errors: [{ type: "CONNECTION", error }] } : { status: "error", code: 500, error };
  }
  const problems = options.only === "listeners" || !source.options.jetstream.enabled ? [] : jetstreamProblems(source, options);
  const [first] = problems;
  if (first === undefined) return { status: "ok", code: 200 };
  const { code, ...error } = first;
  return details ? { status: "error", code, errors: problems.map(({ code: _, ...each }) => each) } : { status: "unavailable", code, error: error.error };
}

function jetstreamProblems({ jetstream }: MonitorSource, options: HealthzOptions): readonly (HealthError & { readonly code: number })[] {
  if (jetstream === undefined) return [{ type: "JETSTREAM", code: 503, error: "JetStream not enabled (10076)" }];
  if (options.only === "enabled") return [];
  const { account: accountName, stream: streamName, consumer: consumerName } = options;
  const account = jetstream.accounts.get(accountName);
  if (accountName !== "" && account === undefined) return [{ type: "ACCOUNT", code: 404, account: accountName, error: `JetStream account "${accountName}" not found` }];
  if (streamName !== "") {
    const stream = account?.stream(streamName);
    if (stream === undefined) return [{ type: "STREAM", code: 404, account: accountName, stream: streamName, error: `JetStream stream "${streamName}" not found on account "${accountName}"` }];
    const names = consumerName === "" ? [] : stream.consumers.infos({ withConfig: false, direct: true }).map(({ name }) => name);
    if (consumerName !== "" && !names.includes(consumerName)) {
      const error = `JetStream consumer "${consumerName}" not found for stream "${streamName}" on account "${accountName}"`;
      return [{ type: "CONSUMER", code: 404, account: accountName, stream: streamName, consumer: consumerName, error }];
    }
  }
  const concerns = (each: { readonly account: string; readonly stream: string }): boolean => (accountName === "" || each.account === accountName) && (streamName === "" || each.stream === streamName);
  const problem = (title: string, text: string): HealthError & { readonly code: number; readonly account: string; readonly stream: string } => {
    const at = title.indexOf(" > ");
    return { type: "STREAM", code: 503, account: title.slice(0, at), stream: title.slice(at + 3), error: `JetStream stream '${title}' ${text}` };
  };
  const unrecovered = [...jetstream.unrecovered.keys()].map((title) => problem(title, "could not be recovered"));
  const failing = [...jetstream.accounts.values()].flatMap((each) =>
    each.sortedStreams().flatMap(({ name, writeError }) => (writeError === undefined ? [] : [problem(`${each.name} > ${name}`, `write error: ${writeError}`)])),
  );
  return [...unrecovered, ...failing].filter(concerns);
}
