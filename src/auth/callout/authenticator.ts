/**
 * Auth callout: after the server's own verdict, a service in an account of its own has the last word. It gets a token that tells everything the client presented,
 * and answers by a user's token, which says where the client belongs and what it may do. Spec: accounts and authentication, section 9.
 */
import type { ConnectionType, Options, TlsOptions } from "../../config/index.ts";
import { type AccountClaims, decodeUser, encodeAuthorizationRequest, JwtError, type UserClaims } from "../../jwt/index.ts";
import type { KeyPair } from "../../util/nkeys.ts";
import { goQuote } from "../../util/quote.ts";
import { open, seal } from "../../util/xkeys.ts";
import { authTimeoutMs, trustedProxy } from "../presented.ts";
import { CALLOUT_SUBJECT, shielded } from "../shield.ts";
import type { Authenticator, AuthRequest, AuthResult, Identity } from "../types.ts";
import { requestClaims } from "./request.ts";
import { judgeResponse, Violation } from "./response.ts";

export interface CalloutHost {
  readonly server: { readonly id: string; readonly name: string; readonly xkey: string };
  readonly keys: { readonly signing: KeyPair; /** Seed of the curve key. */ readonly curveSeed: string };
  /** Seconds since the Unix epoch. */
  readonly nowS: number;
  randomBytes(count: number): Uint8Array;
  /** A key that nobody has used. */
  newUserKey(): string;
  hasAccount(account: string): boolean;
  warn(text: string): void;
  /** Claims of a loaded account, from the resolver when it is not; undefined: there is none. */
  claims(account: string): AccountClaims | undefined | Promise<AccountClaims | undefined>;
  /** Publishes in the account and waits for the one answer; undefined: none came in time. */
  ask(account: string, subject: string, header: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array | undefined>;
}

/** Who is asked about a client, and whom to believe. */
export interface CalloutRules {
  /** Account of the service. */
  readonly account: string;
  /** Sub of the request: the issuer, or in operator mode the account. */
  readonly subject: string;
  /** Key that signs answers; empty in operator mode, where the account's keys do. */
  readonly issuer: string;
  readonly authUsers: ReadonlySet<string>;
  readonly allowedAccounts: readonly string[];
  /** Public curve key of the service; empty: nothing is sealed. */
  readonly xkey: string;
}

export class CalloutAuthenticator implements Authenticator {
  readonly #configured: CalloutRules | undefined;

  constructor(
    private readonly inner: Authenticator,
    private readonly options: Options,
    private readonly host: CalloutHost,
    private readonly isOperatorMode: boolean,
  ) {
    const { authCallout } = options;
    this.#configured = authCallout === undefined ? undefined : { ...authCallout, subject: authCallout.issuer, authUsers: new Set(authCallout.authUsers) };
  }

  get nonceRequired(): boolean {
    return this.inner.nonceRequired;
  }

  required(type: ConnectionType): boolean {
    return this.inner.required(type);
  }

  announced(type: ConnectionType): boolean {
    return this.inner.announced(type);
  }

  timeoutMs(type: ConnectionType): number {
    return this.inner.timeoutMs(type);
  }

  allowsImplicitLogin(type: ConnectionType): boolean {
    return this.inner.allowsImplicitLogin(type);
  }

  authenticate(request: AuthRequest): AuthResult | Promise<AuthResult> {
    const verdict = this.inner.authenticate(request);
    return verdict instanceof Promise ? verdict.then((late) => this.#proceed(request, late)) : this.#proceed(request, verdict);
  }

  #proceed(request: AuthRequest, verdict: AuthResult): AuthResult | Promise<AuthResult> {
    if (!this.isOperatorMode) {
      const rules = this.#configured;
      if (rules === undefined || !this.inner.required(request.connectionType)) return verdict;
      return this.#isDelegated(request, verdict, rules) ? this.#ask(request, verdict, rules, undefined) : shieldedIn(verdict, rules);
    }
    // Who did not pass the checks of tokens is nobody's to judge.
    if (!verdict.ok) return verdict;
    const claims = this.host.claims(verdict.identity.account);
    return claims instanceof Promise ? claims.then((late) => this.#proceedInOperatorMode(request, verdict, late)) : this.#proceedInOperatorMode(request, verdict, claims);
  }

  #proceedInOperatorMode(request: AuthRequest, verdict: Extract<AuthResult, { ok: true }>, claims: AccountClaims | undefined): AuthResult | Promise<AuthResult> {
    if (claims === undefined || claims.authorization.authUsers.length === 0) return verdict;
    const { authUsers, allowedAccounts, xkey } = claims.authorization;
    const rules: CalloutRules = { account: claims.sub, subject: claims.sub, issuer: "", authUsers: new Set(authUsers), allowedAccounts, xkey };
    // Not what else it says of itself: anybody can name a user.
    const who = verdict.identity.token?.user.sub ?? "";
    return rules.authUsers.has(who) ? shieldedIn(verdict, rules) : this.#ask(request, verdict, rules, claims);
  }

  #isDelegated({ connect }: AuthRequest, verdict: AuthResult, rules: CalloutRules): boolean {
    const { allowedAccounts, authUsers } = rules;
    const account = verdict.ok ? verdict.identity.account : "$G";
    if (account !== "$G" && allowedAccounts.length > 0 && !allowedAccounts.includes(account)) return false;
    const presented = connect.nkey || connect.user;
    const who = presented === "" && verdict.ok ? verdict.identity.user : presented;
    return !authUsers.has(who);
  }

  async #ask(request: AuthRequest, verdict: AuthResult, rules: CalloutRules, asking: AccountClaims | undefined): Promise<AuthResult> {
    const { host } = this;
    const timeoutMs = authTimeoutMs(this.options, request.connectionType);
    const userKey = host.newUserKey();
    const proxyKey = trustedProxy(this.options.trustedProxies, request) ?? "";
    const claims = requestClaims({ request, verdict, rules, userKey, server: host.server, tags: this.options.serverTags, rootsPem: tlsOf(this.options, request.connectionType)?.caPem ?? "", nowS: host.nowS, timeoutMs, forwardsToken: this.isOperatorMode, noAuthUser: this.#defaultUser(request, verdict) });
    const token = Buffer.from(encodeAuthorizationRequest(claims, host.keys.signing), "latin1");
    const isSealed = rules.xkey !== "";
    const payload = isSealed ? seal(token, host.randomBytes(24), host.keys.curveSeed, rules.xkey) : token;
    const header = isSealed ? `NATS/1.0\r\nNats-Server-Xkey: ${host.server.xkey}\r\n\r\n` : "";
    const refuse = (detail: string, level: "debug" | "error" = "debug"): AuthResult => ({ ok: false, reason: "Authentication Failure", who: whoOf(request, verdict), detail, level });
    const warn = (text: string, detail = ""): AuthResult => {
      host.warn(text);
      return refuse(detail, "error");
    };
    if (!host.hasAccount(rules.account)) return warn(`No valid account ${goQuote(rules.account)} for auth callout request: account missing`);
    const answer = await host.ask(rules.account, CALLOUT_SUBJECT, header, payload, timeoutMs);
    if (answer === undefined) return refuse(`Authorization callout response not received in time on account ${goQuote(rules.account)}`);
    try {
      const text = this.#unsealed(answer, rules);
      const identity = await judgeResponse({ text, wasSealed: isSealed && !Buffer.from(answer.subarray(0, 3)).equals(PLAIN), rules, asking, userKey, serverId: host.server.id, nowS: host.nowS, isProxied: proxyKey !== "", account: (name) => host.claims(name), hasAccount: (name) => host.hasAccount(name), isOperatorMode: this.isOperatorMode, presented: presentedAs(request, verdict) });
      return shieldedIn({ ok: true, identity: { ...identity, proxyKey } }, rules);
    } catch (error) {
      if (error instanceof Violation) return warn(error.message.charAt(0).toUpperCase() + error.message.slice(1), error.detail);
      throw error;
    }
  }

  /** `no_auth_user` clients are sent with that user's name and password. */
  #defaultUser({ connect }: AuthRequest, verdict: AuthResult): { readonly user: string; readonly pass: string } | undefined {
    if (connect.user !== "" || connect.nkey !== "" || connect.auth_token !== "" || connect.jwt !== "" || !verdict.ok || verdict.identity.user === "") return undefined;
    const user = this.options.users.find((each) => each.user === verdict.identity.user);
    return user === undefined ? undefined : { user: user.user, pass: user.password };
  }

  #unsealed(answer: Uint8Array, { xkey, account }: CalloutRules): string {
    if (answer.length === 0) throw new Violation(`auth callout violation: "no reason supplied" on account ${goQuote(account)}`);
    if (xkey === "" || Buffer.from(answer.subarray(0, 3)).equals(PLAIN)) return Buffer.from(answer).toString("latin1");
    const opened = open(answer, this.host.keys.curveSeed, xkey);
    const problem = answer.length < SEALED_BYTES_MIN ? "encrypted input is not valid" : "could not decrypt input";
    if (opened === undefined) throw new Violation(`error decrypting auth callout response on account ${goQuote(account)}: nkeys: ${problem}`);
    return opened.toString("latin1");
  }
}

/** How an answer begins that is not sealed: the first bytes of every token. */
const PLAIN = Buffer.from("eyJ", "latin1");
/** Version, nonce and something behind them. */
const SEALED_BYTES_MIN = 29;

/** Users of the account that asks may not ask themselves. */
function shieldedIn(verdict: AuthResult, { account }: CalloutRules): AuthResult {
  if (!verdict.ok || verdict.identity.account !== account) return verdict;
  return { ...verdict, identity: { ...verdict.identity, permissions: shielded(verdict.identity.permissions) } };
}

function tlsOf({ tls, websocket }: Options, type: ConnectionType): TlsOptions | undefined {
  return type === "WEBSOCKET" ? websocket.tls : tls;
}

/** How a client is called whose name the service does not say: as what it presented, or as who it is by the server's own verdict. */
function presentedAs({ connect }: AuthRequest, verdict: AuthResult): Pick<Identity, "user" | "label"> {
  if (connect.nkey !== "") return { user: connect.nkey, label: `nkey:${connect.nkey}` };
  if (connect.user !== "") return { user: connect.user, label: `user:${connect.user}` };
  if (verdict.ok) return { user: verdict.identity.user, label: verdict.identity.label };
  return connect.auth_token === "" ? { user: "", label: "" } : { user: "[REDACTED]", label: "token" };
}

/** How the log line goes on. */
function whoOf({ connect }: AuthRequest, verdict: AuthResult): string {
  if (connect.nkey !== "") return ` - Nkey ${goQuote(connect.nkey)}`;
  if (connect.user !== "") return ` - User ${goQuote(connect.user)}`;
  const token = verdict.ok ? verdict.identity.token?.user : connect.jwt === "" ? undefined : userOf(connect.jwt);
  if (token !== undefined) return ` - JWT User ${goQuote(token.sub)}`;
  return connect.auth_token === "" ? "" : ' - Token "[REDACTED]"';
}

function userOf(token: string): UserClaims | undefined {
  try {
    return decodeUser(token);
  } catch (error) {
    if (error instanceof JwtError) return undefined;
    throw error;
  }
}
