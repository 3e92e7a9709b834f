/**
 * An account: an isolated subject space with its own interest, subject mappings and limits. Two accounts never see each other's messages.
 */
import type { AccountOptions } from "../config/index.ts";
import { Interest, subjectMatches, type SubjectMapper } from "../routing/index.ts";

/** Account of everybody who is not put in another. */
export const GLOBAL_ACCOUNT = "$G";

/** Traffic of connections that left; live ones are added by whoever asks. */
export interface Traffic {
  inMsgs: number;
  inBytes: number;
  outMsgs: number;
  outBytes: number;
}

export function noTraffic(): Traffic {
  return { inMsgs: 0, inBytes: 0, outMsgs: 0, outBytes: 0 };
}

export type AccountLimits = AccountOptions["limits"];

export const NO_LIMITS: AccountLimits = { maxConnections: -1, maxSubscriptions: -1, maxPayload: -1, maxLeafnodes: -1 };

export class Account {
  readonly interest: Interest;
  /** Undefined while the account maps nothing. */
  mapper: SubjectMapper | undefined = undefined;
  limits: AccountLimits = NO_LIMITS;
  traceDestination = "";
  traceSampling = 100;
  nkey = "";
  /** Client connections bound to the account. */
  clientConnections = 0;
  slowConsumers = 0;
  /** Of connections that are gone. */
  readonly pastTraffic = noTraffic();
  updatedAtNs = 0n;
  /** Local patterns of services it takes from other accounts. */
  readonly importedServices = new Set<{ readonly pattern: string }>();

  constructor(
    readonly name: string,
    readonly isSystem: boolean,
    cacheSlots?: number,
  ) {
    this.interest = new Interest(cacheSlots);
  }

  /** Whether requests on this literal subject go to a service of another account. */
  importsService(subject: string): boolean {
    for (const { pattern } of this.importedServices) if (subjectMatches(subject, pattern)) return true;
    return false;
  }
}
