/** /healthz: may clients be sent here. Spec: monitoring, section 11. */
import type { Parameters } from "./params.ts";

export interface HealthzOptions {
  readonly account: string;
  readonly stream: string;
  readonly consumer: string;
  readonly details: boolean;
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

/** Reads the parameters in the order in which wrong ones are told. The narrowing flags are checked; without JetStream they narrow nothing. */
export function healthzOptions(parameters: Parameters): HealthzOptions {
  for (const flag of ["js-enabled", "js-enabled-only", "js-server-only", "js-meta-only"]) parameters.boolean(flag);
  return { details: parameters.boolean("details"), account: parameters.text("account"), stream: parameters.text("stream"), consumer: parameters.text("consumer") };
}

/** `listening` says whether every configured listener is open; in lame duck mode none is. */
export function healthz(listening: boolean, options: HealthzOptions): Health {
  const failed = (type: HealthErrorType, code: number, error: string): Health => (options.details ? { status: "error", code, errors: [{ type, error }] } : { status: "error", code, error });
  if (options.stream !== "" && options.account === "") return failed("BAD_REQUEST", 400, '"account" must not be empty when checking stream health');
  if (options.consumer !== "" && options.stream === "") return failed("BAD_REQUEST", 400, '"stream" must not be empty when checking consumer health');
  if (!listening) return failed("CONNECTION", 500, "failed to be ready for connections after 1ms: server");
  return { status: "ok", code: 200 };
}
