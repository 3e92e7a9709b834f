/** An account's name for people: the one in its token, or the account's own. */
import type { MonitorSource } from "./source.ts";

export function accountTag({ tokens }: Pick<MonitorSource, "tokens">, account: string): string {
  return tokens?.claims(account)?.name || account;
}
