/** Parameters of HTTP requests, with the error texts that users of the reference know. Spec: monitoring, section 2. */
import { goQuote } from "../util/quote.ts";

/** A request that cannot be understood: status 400 with the message. */
export class ParameterError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ParameterError";
  }
}

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["", "0", "f", "F", "FALSE", "false", "False"]);
const INT_MAX = (1n << 63n) - 1n;
const UINT_MAX = (1n << 64n) - 1n;

export class Parameters {
  constructor(private readonly values: ReadonlyMap<string, string>) {}

  text(name: string): string {
    return this.values.get(name) ?? "";
  }

  /** Absent and empty are false. */
  boolean(name: string): boolean {
    const value = this.text(name);
    if (TRUE.has(value)) return true;
    if (FALSE.has(value)) return false;
    throw new ParameterError(`Error decoding boolean for '${name}': strconv.ParseBool: parsing ${goQuote(value)}: invalid syntax`);
  }

  /** Absent and empty are 0. */
  integer(name: string): number {
    return decimal(this.text(name), /^[+-]?\d+$/, -INT_MAX - 1n, INT_MAX, `Error decoding int for '${name}': strconv.Atoi`);
  }

  /** Absent and empty are 0. */
  unsigned(name: string): number {
    return decimal(this.text(name), /^\d+$/, 0n, UINT_MAX, `Error decoding uint64 for '${name}': strconv.ParseUint`);
  }

  /** How subscriptions are wanted: `detail` in any case, else a boolean. */
  subscriptions(): SubscriptionsWanted {
    if (this.text("subs").toLowerCase() === "detail") return "detail";
    return this.boolean("subs") ? "list" : "none";
  }
}

export type SubscriptionsWanted = "none" | "list" | "detail";

function decimal(text: string, form: RegExp, min: bigint, max: bigint, context: string): number {
  if (text === "") return 0;
  if (!form.test(text)) throw new ParameterError(`${context}: parsing ${goQuote(text)}: invalid syntax`);
  const value = BigInt(text.replace("+", ""));
  if (value < min || value > max) throw new ParameterError(`${context}: parsing ${goQuote(text)}: value out of range`);
  return Number(value);
}
