/**
 * Letting a client in: the time it has for CONNECT, the authenticator's verdict (which may take a while), and the binding to an account with its permissions
 * and limits; and doing it again after a reload. Spec: accounts and authentication, section 1.
 */
import { type AuthRequest, type AuthResult, type Identity, Permissions } from "../../auth/index.ts";
import type { PermissionOptions } from "../../config/index.ts";
import type { Timer } from "../../platform/index.ts";
import type { ClientLink } from "./client.ts";

/** A connection whose subscriptions are too many from the start is closed so long after it was told. */
const OVER_SUBSCRIBED_CLOSE_MS = 20;

export type Refusal = Extract<AuthResult, { ok: false }>;

/** The refusal that says nothing more. */
export const REFUSED: Refusal = { ok: false, reason: "Authentication Failure", who: "", detail: "" };

export class Admission {
  #timer: Timer | undefined = undefined;

  constructor(private readonly link: ClientLink) {}

  /** Gives the client its time to authenticate. */
  startTimer(): void {
    const { link } = this;
    this.#timer = link.host.clock.after(link.host.authenticator.timeoutMs(link.connectionType), () => {
      if (link.connectReceived) return;
      link.logged.debug("Authentication Timeout");
      link.closeWithError("Authentication Timeout", "Authentication Timeout");
    });
  }

  stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Runs `accepted` when what the client presented is good; else closes. Parsing waits for a slow comparison. */
  authenticate(accepted: () => void): void {
    const { link } = this;
    const result = link.host.authenticator.authenticate(this.#request());
    if (!(result instanceof Promise)) return this.#conclude(result, accepted);
    link.suspendParsing();
    void result.then((late) => {
      if (link.isClosed) return;
      this.#conclude(late, accepted);
      if (!link.isClosed) link.resumeParsing();
    });
  }

  /** Before another CONNECT: the client is again one that has not said who it is. */
  forget(): void {
    const { link } = this;
    link.identity = undefined;
    if (link.account !== link.host.globalAccount) link.traffic.moveTo(link.host.globalAccount);
  }

  /** After a reload: the stored CONNECT is judged again. */
  reauthenticate(): void {
    const { link } = this;
    const conclude = (result: AuthResult): void => {
      if (link.isClosed) return;
      // Its subscriptions belong to the account that it had: a client that would now be in another one begins anew.
      if (result.ok && link.host.account(result.identity.account) !== link.account) return link.close("Client Closed");
      this.#conclude(result, () => link.subscriptions.dropDenied());
    };
    const result = link.host.authenticator.authenticate(this.#request());
    if (result instanceof Promise) void result.then(conclude);
    else conclude(result);
  }

  /** After a reload: the same user, perhaps with other permissions. */
  updatePermissions(permissions: PermissionOptions | undefined): void {
    const { link } = this;
    if (link.identity !== undefined && this.#bind({ ...link.identity, permissions })) link.subscriptions.dropDenied();
  }

  refuse(refusal: Refusal): void {
    const { link } = this;
    if (refusal.detail !== "") link.logged.debug(refusal.detail);
    link.logged.error(`authentication error${refusal.who}`);
    link.closeWithError("Authorization Violation", refusal.reason);
  }

  #request(): AuthRequest {
    const { connectionType, connect, nonce, tls } = this.link;
    return { connectionType, connect, nonce, tls };
  }

  #conclude(result: AuthResult, accepted: () => void): void {
    if (!result.ok) return this.refuse(result);
    if (result.warning !== undefined) this.link.logged.warn(result.warning);
    if (this.#bind(result.identity)) accepted();
  }

  /** False when that closed the connection. */
  #bind(identity: Identity): boolean {
    const { link } = this;
    const { host } = link;
    const account = host.account(identity.account);
    if (account === undefined) {
      link.sendError("Failed Account Registration");
      link.closeWithError("Authorization Violation", "Missing Account");
      return false;
    }
    if (account !== link.account || link.identity === undefined) {
      const limit = account.limits.maxConnections;
      const others = account.clientConnections - (account === link.account ? 1 : 0);
      if (account !== link.account) link.traffic.moveTo(account);
      if (limit >= 0 && others >= limit) {
        link.identity = identity;
        link.logged.error("maximum account active connections exceeded");
        link.closeWithError("maximum account active connections exceeded", "Maximum Account Connections Exceeded");
        return false;
      }
    }
    link.bind(identity, identity.permissions === undefined ? null : new Permissions(identity.permissions, () => host.clock.monotonicMs()));
    if (link.subscriptions.limit === 0) {
      link.sendError("maximum subscriptions exceeded");
      host.clock.after(OVER_SUBSCRIBED_CLOSE_MS, () => link.close("Maximum Subscriptions Exceeded"));
    }
    return true;
  }
}
