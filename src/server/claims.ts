/**
 * The claims services as subscriptions of the system account, and the synchronisation of full folders. Spec: accounts and authentication, sections 8.3 and 8.4.
 */
import type { Account } from "../accounts/index.ts";
import { ClaimsService, type StoredResolver } from "../auth/resolver/index.ts";
import { InternalLink } from "../links/internal/index.ts";
import type { Timer } from "../platform/index.ts";
import { encodeJson } from "../protocol/index.ts";
import { fromByteString, toByteString } from "../util/bytes.ts";
import { inboxPrefix, newInbox } from "./inbox.ts";
import type { Server } from "./server.ts";

/** How trace events name the system's own peer. */
const KIND_SYSTEM = 3;

type Answer = (payload: Uint8Array, subject: string, reply: (payload: string) => void) => void | Promise<void>;

export class ClaimsDesk {
  readonly #link: InternalLink;
  /** Where answers to this server's own questions go. */
  readonly #own: string;
  #sync: Timer | undefined = undefined;

  constructor(
    private readonly server: Server,
    account: Account,
    private readonly service: ClaimsService,
    stored: StoredResolver | undefined,
  ) {
    this.#link = new InternalLink(account, KIND_SYSTEM, "SYSTEM");
    this.#own = inboxPrefix(server);
    const updateNamed: Answer = async (payload, subject, reply) => reply(this.#inEnvelope(await service.update(textOf(payload), accountIn(subject))));
    this.#serve("$SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE", updateNamed);
    this.#serve("$SYS.ACCOUNT.*.CLAIMS.UPDATE", updateNamed);
    if (stored === undefined) return;
    this.#serve("$SYS.REQ.CLAIMS.UPDATE", async (payload, _, reply) => reply(this.#inEnvelope(await service.update(textOf(payload), undefined))));
    this.#serve("$SYS.REQ.CLAIMS.LIST", (_, __, reply) => reply(json({ data: service.list(), server: server.serverBlock() })));
    this.#serve("$SYS.REQ.CLAIMS.DELETE", (payload, _, reply) => reply(this.#inEnvelope(service.delete(textOf(payload)))));
    if (!stored.isFull) return;
    this.#serve("$SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP", (_, subject, reply) => {
      const token = service.lookup(accountIn(subject));
      if (token !== undefined) reply(token);
    });
    this.#serve("$SYS.REQ.CLAIMS.PACK", (payload, _, reply) => {
      for (const message of service.pack(payload)) reply(message);
    }, "responder");
    this.#synchronise(stored);
  }

  stop(): void {
    this.#sync?.cancel();
    this.#link.close();
  }

  #inEnvelope(reply: Readonly<Record<string, unknown>>): string {
    return json({ server: this.server.serverBlock(), ...reply });
  }

  /** Requests are answered after they were delivered, since an answer may take its time; without a reply subject they still do their work. */
  #serve(subject: string, answer: Answer, queue = ""): void {
    this.#link.subscribe(
      toByteString(subject),
      (message, delivered) => {
        const replyTo = message.reply();
        if (fromByteString(replyTo).startsWith(this.#own) && queue === "") return false;
        const payload = Buffer.from(message.payload());
        const reply = (text: string): void => {
          if (replyTo !== "") this.#link.publish(replyTo, "", "", toByteString(text));
        };
        const work = async (): Promise<void> => answer(payload, fromByteString(delivered), reply);
        work().catch((error: unknown) => this.server.log.error(`Internal error in ${subject}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`));
        return true;
      },
      queue,
    );
  }

  /** Asks, every now and then, for what others have and we do not. */
  #synchronise(stored: StoredResolver): void {
    if (stored.intervalMs <= 0) return;
    const { server } = this;
    const inbox = newInbox(server);
    this.#link.subscribe(toByteString(inbox), (message) => {
      const text = textOf(message.payload());
      this.service.merge(text).then(
        (problems) => problems.forEach((problem) => server.log.error(`DirResolver - Merging resulted in error: ${problem}`)),
        (error: unknown) => server.log.error(`DirResolver - Merging resulted in error: ${String(error)}`),
      );
      return true;
    });
    const ask = (): void => {
      this.#link.publish("$SYS.REQ.CLAIMS.PACK", toByteString(inbox), "", stored.directory.hash());
      this.#sync = server.clock.after(stored.intervalMs, ask);
    };
    this.#sync = server.clock.after(stored.intervalMs, ask);
  }
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString("utf8");
}

/** The account's place in `$SYS.REQ.ACCOUNT.<account>.CLAIMS.X` and `$SYS.ACCOUNT.<account>.CLAIMS.X`. */
function accountIn(subject: string): string {
  return subject.split(".").at(-3) ?? "";
}

function json(value: unknown): string {
  return encodeJson(value);
}
