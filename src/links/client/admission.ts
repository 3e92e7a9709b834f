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

/** Longest single timer; a later end is reached in steps. */
const EXPIRY_STEP_MS = 86_400_000;

export type Refusal = Extract<AuthResult, { ok: false }>;

/** The refusal that says nothing more. */
export const REFUSED: Refusal = { ok: false, reason: "Authentication Failure", who: "", detail: "" };

export class Admission {
  #timer: Timer | undefined = undefined;
  #expiry: Timer | undefined = undefined;

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

  /** The connection is over. */
  stop(): void {
    this.stopTimer();
    this.#expiry?.cancel();
    this.#expiry = undefined;
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
    const { account, host } = link;
    link.identity = undefined;
    if (account === host.globalAccount) return;
    link.traffic.moveTo(host.globalAccount);
    host.onLinkLeft(account);
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
    if (refusal.detail !== "") link.logged[refusal.level ?? "debug"](refusal.detail);
    link.logged.error(`authentication error${refusal.who}`);
    link.host.onLinkRefused(link, refusal.reason);
    link.closeWithError("Authorization Violation", refusal.reason);
  }

  #request(): AuthRequest {
    const { connectionType, connect, nonce, tls, remoteAddress, id, host } = this.link;
    return { connectionType, connect, nonce, tls, remoteAddress, clientId: id, host: host.listenHost };
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
        link.logged.error("maximum account active connections exceeded");
        link.identity = identity;
        link.closeWithError("maximum account active connections exceeded", "Maximum Account Connections Exceeded");
        return false;
      }
    }
    link.bind(identity, identity.permissions === undefined ? null : new Permissions(identity.permissions, () => host.clock.monotonicMs()));
    this.#startExpiry(identity.expiresAtS ?? 0);
    this.enforceSubscriptionLimit();
    return true;
  }

  /** A connection that has as many subscriptions as it may, or more, when a limit begins to hold cannot stay. */
  enforceSubscriptionLimit(): void {
    const { link } = this;
    const { limit, size } = link.subscriptions;
    if (limit < 0 || size < limit || (size === 0 && limit > 0)) return;
    link.sendError("maximum subscriptions exceeded");
    link.host.clock.after(OVER_SUBSCRIBED_CLOSE_MS, () => link.close("Maximum Subscriptions Exceeded"));
  }

  #startExpiry(atS: number): void {
    this.#expiry?.cancel();
    this.#expiry = undefined;
    if (atS === 0) return;
    const { link } = this;
    const leftMs = atS * 1000 - Number(link.host.clock.nowNs() / 1_000_000n);
    this.#expiry = link.host.clock.after(Math.min(Math.max(0, leftMs), EXPIRY_STEP_MS), () => {
      if (leftMs > EXPIRY_STEP_MS) return this.#startExpiry(atS);
      link.closeWithError("User Authentication Expired", "Authentication Expired");
    });
  }
}
