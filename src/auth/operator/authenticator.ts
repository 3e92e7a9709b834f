/** Operator mode: every client presents a token, and nothing else counts. Spec: accounts and authentication, sections 1.5 (4) and 7.8. */
import type { ConnectionType, Options } from "../../config/index.ts";
import { goQuote } from "../../util/quote.ts";
import { authTimeoutMs, trustedProxy } from "../presented.ts";
import type { Authenticator, AuthRequest, AuthResult } from "../types.ts";
import type { AccountBook, Loaded } from "./book.ts";
import { tokenIdentity } from "./identity.ts";
import { closeLogin, type LoginResult, openLogin, type PresentedToken, presentedToken, type TokenLogin } from "./login.ts";

type Opened = Extract<ReturnType<typeof openLogin>, { ok: true; account: string }>;

export class OperatorAuthenticator implements Authenticator {
  readonly nonceRequired = true;
  readonly #pinned: ReadonlySet<string>;

  constructor(
    private readonly options: Options,
    private readonly book: AccountBook,
  ) {
    const { pinnedAccounts } = options.operator;
    this.#pinned = new Set(pinnedAccounts.length === 0 ? [] : [...pinnedAccounts, options.systemAccount]);
  }

  required(): boolean {
    return true;
  }

  announced(): boolean {
    return true;
  }

  timeoutMs(type: ConnectionType): number {
    return authTimeoutMs(this.options, type);
  }

  allowsImplicitLogin(): boolean {
    return false;
  }

  authenticate(request: AuthRequest): AuthResult | Promise<AuthResult> {
    const proxyKey = trustedProxy(this.options.trustedProxies, request);
    const token = this.#presented(request.connect.jwt);
    const who = token.user === undefined ? "" : ` - JWT User ${goQuote(token.user.sub)}`;
    if (proxyKey === undefined) return { ok: false, reason: "Proxy Not Trusted", who, detail: "" };
    const login: TokenLogin = { token, signature: request.connect.sig, nonce: request.nonce, remoteAddress: request.remoteAddress, connectionType: request.connectionType, isProxied: proxyKey !== "" };
    const rules = { nowS: this.book.nowS, pinned: this.#pinned };
    const opened = openLogin(login, rules);
    if (!isOpened(opened)) {
      if (!opened.ok && opened.isUnpinned === true) this.book.pinnedRefusals++;
      return refusal(opened, who);
    }
    const conclude = (loaded: Loaded): AuthResult => {
      if (!loaded.ok) return { ok: false, reason: "Authentication Failure", who, detail: `Account JWT lookup error: ${loaded.problem}` };
      const { claims, isExpired } = loaded;
      const { trust } = this.book;
      const closed = closeLogin(login, rules, opened.user, { claims, isExpired, isTrusted: trust.trusts(claims.iss), isStrict: trust.isStrict(claims.iss) });
      return closed.ok ? { ok: true, identity: tokenIdentity(closed, token.text, claims, proxyKey) } : refusal(closed, who);
    };
    const loaded = this.book.load(opened.account);
    return loaded instanceof Promise ? loaded.then(conclude) : conclude(loaded);
  }

  /** What the client sent; or the default, when that is no user's token. */
  #presented(text: string): PresentedToken {
    const { defaultSentinel } = this.options.operator;
    const sent = presentedToken(text);
    if (sent.user !== undefined || defaultSentinel === "") return sent;
    const sentinel = presentedToken(defaultSentinel);
    return sentinel.user === undefined ? sent : sentinel;
  }
}

function isOpened(result: Opened | LoginResult): result is Opened {
  return result.ok && "account" in result;
}

function refusal(result: LoginResult, who: string): AuthResult {
  if (result.ok) throw new Error("a login that succeeded is no refusal");
  return { ok: false, reason: result.proxyRequired === true ? "Proxy Required" : "Authentication Failure", who, detail: result.detail, level: result.isError === true ? "error" : "debug" };
}
