/**
 * Asks whoever listens in the system account for the token of an account that is not in the folder here: other servers, once there are routes to them, and anything
 * that answers in their place. Spec: accounts and authentication, section 8.4.
 */
import { ResolverError } from "../auth/operator/index.ts";
import type { Peers } from "../auth/resolver/index.ts";
import { InternalLink, type InternalSubscription } from "../links/internal/index.ts";
import { toByteString } from "../util/bytes.ts";
import { newInbox } from "./inbox.ts";
import type { Server } from "./server.ts";

/** How trace events name the system's own peer. */
const KIND_SYSTEM = 3;

export function peersOf(server: Server): Peers {
  return {
    lookup(account, timeoutMs) {
      const system = server.account(server.options.systemAccount);
      if (system === undefined) return Promise.resolve(undefined);
      const link = new InternalLink(system, KIND_SYSTEM, "SYSTEM");
      const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
      const inbox = toByteString(newInbox(server));
      const end = (): void => {
        timer.cancel();
        link.unsubscribe(answers);
      };
      /** Those who were asked and have not said that they do not know either. */
      let waiting = Number.POSITIVE_INFINITY;
      let empty = 0;
      const conclude = (): void => {
        if (empty < waiting) return;
        end();
        resolve(undefined);
      };
      const answers: InternalSubscription = link.subscribe(inbox, (message) => {
        const token = Buffer.from(message.payload()).toString("utf8");
        if (token === "") {
          empty++;
          conclude();
        } else {
          end();
          resolve(token);
        }
        return true;
      });
      const timer = server.clock.after(timeoutMs, () => {
        end();
        reject(new ResolverError("fetching jwt timed out"));
      });
      waiting = link.publish(toByteString(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`), inbox, "", "");
      conclude();
      return promise;
    },
  };
}
