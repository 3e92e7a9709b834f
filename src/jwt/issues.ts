/** What is wrong with a decoded claim. Which issues matter is decided by whoever asks. Spec: accounts and authentication, section 6.1. */
import type { StandardClaims } from "./codec.ts";

export interface Issue {
  readonly level: "error" | "time" | "warning";
  readonly text: string;
}

export class Issues {
  readonly all: Issue[] = [];

  error(text: string): void {
    this.all.push({ level: "error", text });
  }

  time(text: string): void {
    this.all.push({ level: "time", text });
  }

  warning(text: string): void {
    this.all.push({ level: "warning", text });
  }

  /** Whether the claim must not be used: an error, or (with `withTimes`) now is not its time. */
  blocks(withTimes: boolean): boolean {
    return this.all.some(({ level }) => level === "error" || (withTimes && level === "time"));
  }

  /** Those that block, times included. */
  get texts(): readonly string[] {
    return this.all.filter(({ level }) => level !== "warning").map(({ text }) => text);
  }
}

/** `nowS` is in seconds since the Unix epoch. */
export function checkTimes({ exp, nbf }: StandardClaims, nowS: number, issues: Issues): void {
  if (exp > 0 && nowS > exp) issues.time("claim is expired");
  if (nbf > 0 && nbf > nowS) issues.time("claim is not yet valid");
}
