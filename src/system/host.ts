/** What the system account needs of the server: all that monitoring reads, and a few things to do. */
import type { Account } from "../accounts/index.ts";
import type { MonitorSource } from "../monitor/index.ts";
import type { Logger } from "../log/index.ts";

export interface SystemHost extends Omit<MonitorSource, "log"> {
  readonly log: Logger;
  account(name: string): Account | undefined;
  /** Who sends; counts the messages that carry it. */
  serverBlock(): Readonly<Record<string, unknown>>;
  /** What is wrong with the new configuration; undefined when it is in force. */
  reload(): Promise<string | undefined>;
}
