/**
 * The one client of a group that gets the messages, until it is silent for too long. Spec: consumers, section 10.2.
 */
import { timestamp } from "../../util/timestamp.ts";
import { Alarm } from "./alarm.ts";
import type { OutletOwner } from "./host.ts";
import type { WaitingRequest } from "./waiting.ts";

/** How a request stands to the pin: has it, just got it, gets messages without one, waits for it, believes in an old one. */
export type Claim = "pinned" | "fresh" | "plain" | "standby" | "stale";

export class Pin {
  readonly #owner: OutletOwner;
  readonly #alarm: Alarm;
  #id = "";
  #sinceNs = 0n;
  #group = "";

  constructor(owner: OutletOwner) {
    this.#owner = owner;
    this.#alarm = new Alarm(owner.context.clock, () => this.unpin("timeout"));
  }

  /** The present pin; empty when nobody has it. */
  get id(): string {
    return this.#id;
  }

  /** Whether the request may have a message now; the first one without a pin gets it. */
  claim(request: WaitingRequest): Claim {
    if (this.#id !== "") {
      if (request.pin === this.#id) return "pinned";
      return request.pin === "" ? "standby" : "stale";
    }
    if (request.pin !== "") return "stale";
    if (!request.options.isJson) return "plain";
    this.#id = this.#owner.context.nuid();
    this.#sinceNs = this.#owner.context.clock.nowNs();
    this.#group = request.options.group;
    request.pin = this.#id;
    return "fresh";
  }

  /** The fresh pin stays with the request that claimed it. */
  announce(): void {
    this.used();
    this.#advise("PINNED", "consumer_group_pinned", { group: this.#group, pinned_id: this.#id });
  }

  /** The request that claimed the pin came to nothing. */
  release(): void {
    this.#id = "";
    this.#alarm.cancel();
  }

  /** The client with the pin has asked again. */
  used(): void {
    this.#alarm.set(this.#owner.context.clock.nowMs() + (this.#owner.config.priority_timeout ?? 0) / 1e6);
  }

  unpin(reason: "admin" | "timeout", group = this.#group): void {
    this.#id = "";
    this.#alarm.cancel();
    this.#advise("UNPINNED", "consumer_group_unpinned", { group, reason });
    this.#owner.wake();
  }

  /** These two name the account, and the domain before what is their own. */
  #advise(kind: string, type: string, fields: Readonly<Record<string, unknown>>): void {
    const { link, context, streamName: stream, name: consumer } = this.#owner;
    const { domain } = context.settings;
    this.#owner.advise(kind, type, { account: link.account.name, stream, consumer, ...(domain === "" ? {} : { domain }), ...fields });
  }

  describe(group: string): { readonly group: string; readonly pinned_client_id?: string; readonly pinned_ts: string } {
    if (this.#id === "") return { group, pinned_ts: "0001-01-01T00:00:00Z" };
    return { group, pinned_client_id: this.#id, pinned_ts: timestamp(this.#sinceNs) };
  }

  stop(): void {
    this.#alarm.cancel();
  }
}
