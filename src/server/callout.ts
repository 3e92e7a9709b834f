/** The way to an auth callout service: a request in its account, by an inbox of the server's own. Spec: accounts and authentication, section 9.3. */
import type { CalloutHost } from "../auth/callout/index.ts";
import { InternalLink, type InternalSubscription } from "../links/internal/index.ts";
import type { AccountClaims } from "../jwt/index.ts";
import { toByteString } from "../util/bytes.ts";
import { encodePublicKey, encodeSeed, keyPairOf } from "../util/nkeys.ts";
import type { ServerKeys } from "./identity.ts";
import { newInbox } from "./inbox.ts";
import type { Server } from "./server.ts";

/** How trace events name the system's own peer. */
const KIND_SYSTEM = 3;

export function calloutHost(server: Server, keys: ServerKeys): CalloutHost {
  const links = new Map<string, InternalLink>();
  const linkIn = (name: string): InternalLink | undefined => {
    const account = server.account(name);
    if (account === undefined) return undefined;
    const known = links.get(name);
    if (known?.account === account) return known;
    const link = new InternalLink(account, KIND_SYSTEM, "ACCOUNT");
    links.set(name, link);
    return link;
  };
  return {
    server: server.identity,
    keys: { signing: keyPairOf("server", keys.signingSecret), curveSeed: encodeSeed("curve", keys.curveSecret) },
    get nowS() {
      return Number(server.clock.nowNs() / 1_000_000_000n);
    },
    randomBytes: (count) => server.random.bytes(count),
    newUserKey: () => encodePublicKey("user", server.random.bytes(32)),
    warn: (text) => server.log.warn(text),
    hasAccount: (name) => server.account(name) !== undefined,
    claims: (name) => claimsOf(server, name),
    ask: (account, subject, header, payload, timeoutMs) => {
      const link = linkIn(account);
      if (link === undefined) return Promise.resolve(undefined);
      const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
      const inbox = toByteString(newInbox(server));
      const finish = (answer: Uint8Array | undefined): void => {
        timer.cancel();
        link.unsubscribe(subscription);
        resolve(answer);
      };
      const subscription: InternalSubscription = link.subscribe(inbox, (message) => {
        finish(Buffer.from(message.payload()));
        return true;
      });
      const timer = server.clock.after(timeoutMs, () => finish(undefined));
      link.publish(toByteString(subject), inbox, header, payload);
      return promise;
    },
  };
}

function claimsOf(server: Server, name: string): AccountClaims | undefined | Promise<AccountClaims | undefined> {
  if (server.tenants === undefined) return undefined;
  const loaded = server.tenants.book.load(name);
  return loaded instanceof Promise ? loaded.then((late) => (late.ok && !late.isExpired ? late.claims : undefined)) : loaded.ok && !loaded.isExpired ? loaded.claims : undefined;
}
