/** How the traffic of a connection is divided among accounts: a second CONNECT may bind it to another, and what was counted before stays with the first. */
import { type Account, noTraffic, type Traffic } from "../../accounts/index.ts";
import type { ClientLink } from "./client.ts";

export class AccountTraffic {
  /** What accounts that were left have been given. */
  #settled: Traffic = noTraffic();

  constructor(private readonly link: ClientLink) {}

  /** Traffic since the connection is bound to its present account. */
  get present(): Traffic {
    const { link } = this;
    const settled = this.#settled;
    return { inMsgs: link.inMsgs - settled.inMsgs, inBytes: link.inBytes - settled.inBytes, outMsgs: link.outMsgs - settled.outMsgs, outBytes: link.outBytes - settled.outBytes };
  }

  /** A connection counts from its first moment, with the account of those who have not said who they are. */
  enter(): void {
    this.link.account.clientConnections++;
  }

  /** Binds the connection to another account; its traffic until now stays with the old one. */
  moveTo(account: Account): void {
    const { link } = this;
    const { present } = this;
    const past = link.account.pastTraffic;
    past.inMsgs += present.inMsgs;
    past.inBytes += present.inBytes;
    past.outMsgs += present.outMsgs;
    past.outBytes += present.outBytes;
    this.#settled = { inMsgs: link.inMsgs, inBytes: link.inBytes, outMsgs: link.outMsgs, outBytes: link.outBytes };
    link.account.clientConnections--;
    link.account = account;
    account.clientConnections++;
  }
}
