/**
 * Who is this? Decides from what a connection presents (certificate, nkey signature, user and password, token) and from the users, accounts and listeners
 * of the configuration. Spec: accounts and authentication, sections 1 and 2; the numbers in comments are steps of 1.5.
 */
import { GLOBAL_ACCOUNT } from "../accounts/index.ts";
import type { ConnectionType, Options, SimpleAuthOptions, UserOptions } from "../config/index.ts";
import type { PasswordHash } from "../platform/index.ts";
import type { CloseReason } from "../protocol/index.ts";
import { verifySignature } from "../util/nkeys.ts";
import { goQuote } from "../util/quote.ts";
import { certificateNames, matchCertificate } from "./certificate.ts";
import { isBcrypt, secretMatches } from "./password.ts";
import { authTimeoutMs, decodeSignature, trustedProxy } from "./presented.ts";
import type { Authenticator, AuthRequest, AuthResult, Identity } from "./types.ts";

/** Credentials that hold for one kind of listener. */
interface ListenerRules {
  readonly simple: SimpleAuthOptions;
  readonly noAuthUser: string;
  readonly mapsCertificates: boolean;
  readonly required: boolean;
}

type Refusal = Extract<AuthResult, { ok: false }>;

export class ConfiguredAuthenticator implements Authenticator {
  readonly #users = new Map<string, UserOptions>();
  readonly #nkeys = new Map<string, UserOptions>();
  readonly #options: Options;
  readonly #hasher: PasswordHash;
  readonly #client: ListenerRules;
  readonly #websocket: ListenerRules;
  /** Only a system account has users: everybody else still comes in without credentials. */
  readonly #openDespiteUsers: boolean;

  /** `guest` names who comes without credentials where only the system account has users. */
  constructor(
    options: Options,
    hasher: PasswordHash,
    private readonly guest: () => string,
  ) {
    this.#options = options;
    this.#hasher = hasher;
    for (const user of options.users) (user.nkey === "" ? this.#users : this.#nkeys).set(user.nkey === "" ? user.user : user.nkey, user);
    const simple = options.authorization;
    const configured = options.users.length > 0 || simple.username !== "" || simple.token !== "";
    this.#openDespiteUsers = options.users.length > 0 && options.noAuthUser === "" && simple.username === "" && simple.token === "" && options.users.every((user) => user.account === options.systemAccount) && options.accounts.every((account) => account.name === options.systemAccount);
    this.#client = { simple, noAuthUser: options.noAuthUser, mapsCertificates: options.tls?.verifyAndMap ?? false, required: configured };
    this.#websocket = websocketRules(options, this.#client);
  }

  get nonceRequired(): boolean {
    return this.#nkeys.size > 0 || this.#options.trustedProxies.length > 0;
  }

  required(type: ConnectionType): boolean {
    return this.#rules(type).required;
  }

  announced(type: ConnectionType): boolean {
    return this.required(type) && (type === "WEBSOCKET" || this.#options.noAuthUser === "");
  }

  timeoutMs(type: ConnectionType): number {
    return authTimeoutMs(this.#options, type);
  }

  allowsImplicitLogin(type: ConnectionType): boolean {
    if (this.#openDespiteUsers) return true;
    const user = this.#users.get(this.#rules(type).noAuthUser);
    return user !== undefined && !user.proxyRequired && allowsConnectionType(user, type);
  }

  authenticate(request: AuthRequest): AuthResult | Promise<AuthResult> {
    // 2. Proxy signature
    const proxyKey = trustedProxy(this.#options.trustedProxies, request);
    if (proxyKey === undefined) return this.#refuse(request, "Proxy Not Trusted");
    const rules = this.#rules(request.connectionType);
    if (!rules.required) return accept({ account: GLOBAL_ACCOUNT, user: "", label: "", permissions: undefined, proxyKey });
    const { connect } = request;
    const anonymous = connect.user === "" && connect.pass === "" && connect.auth_token === "";
    if (this.#openDespiteUsers && anonymous && connect.nkey === "") {
      const user = this.guest();
      return accept({ account: GLOBAL_ACCOUNT, user, label: `user:${user}`, permissions: undefined, proxyKey });
    }

    // 5. nkey users
    if (this.#nkeys.size > 0) {
      const fallback = anonymous && connect.nkey === "" ? this.#nkeys.get(rules.noAuthUser) : undefined;
      if (fallback !== undefined) return this.#defaultUser(request, fallback, proxyKey);
      if (connect.nkey !== "") return this.#nkeyUser(request, proxyKey);
    }
    // 6. users
    if (this.#users.size > 0) {
      if (rules.mapsCertificates) return this.#mappedUser(request, proxyKey);
      const fallback = anonymous ? this.#users.get(rules.noAuthUser) : undefined;
      if (fallback !== undefined) return this.#defaultUser(request, fallback, proxyKey);
      if (connect.user !== "") {
        const user = this.#users.get(connect.user);
        if (user === undefined) return this.#refuse(request);
        if (!allowsConnectionType(user, request.connectionType)) return this.#refuse(request, "Authentication Failure", "Connection type not allowed");
        return this.#passwordUser(request, user, proxyKey);
      }
    }
    return this.#simple(request, rules.simple, proxyKey);
  }

  #rules(type: ConnectionType): ListenerRules {
    return type === "WEBSOCKET" ? this.#websocket : this.#client;
  }

  #nkeyUser(request: AuthRequest, proxyKey: string): AuthResult {
    const { connect, nonce } = request;
    const user = this.#nkeys.get(connect.nkey);
    if (user === undefined) return this.#refuse(request);
    if (!allowsConnectionType(user, request.connectionType)) return this.#refuse(request, "Authentication Failure", "Connection type not allowed");
    if (user.proxyRequired && proxyKey === "") return this.#refuse(request, "Proxy Required");
    if (user.nkey === this.#rules(request.connectionType).noAuthUser) return accept(identityOf(user, proxyKey));
    if (connect.sig === "") return this.#refuse(request, "Authentication Failure", "Signature missing");
    const signature = decodeSignature(connect.sig);
    if (signature === undefined) return this.#refuse(request, "Authentication Failure", "Signature not valid base64");
    if (!verifySignature(user.nkey, Buffer.from(nonce, "latin1"), signature)) return this.#refuse(request, "Authentication Failure", "Signature not verified");
    return accept(identityOf(user, proxyKey));
  }

  #mappedUser(request: AuthRequest, proxyKey: string): AuthResult | Promise<AuthResult> {
    const der = request.tls?.peerCertificateDer;
    const names = der === undefined ? undefined : certificateNames(der);
    if (names === undefined) return this.#refuse(request, "Authentication Failure", "User required in cert, no TLS connection state");
    const allowed = (name: string): boolean => {
      const user = this.#users.get(name);
      return user !== undefined && allowsConnectionType(user, request.connectionType);
    };
    const match = matchCertificate(names, allowed, [...this.#users.keys()].filter(allowed));
    const user = match === undefined ? undefined : this.#users.get(match.user);
    if (user === undefined) return this.#refuse(request, "Authentication Failure", "User in cert, not found");
    const result = this.#passwordUser(request, user, proxyKey);
    if (request.connect.user === "") return result;
    const warning = `User ${goQuote(request.connect.user)} found in connect proto, but user required from cert`;
    return result instanceof Promise ? result.then((late) => withWarning(late, warning)) : withWarning(result, warning);
  }

  /** 7c. */
  #passwordUser(request: AuthRequest, user: UserOptions, proxyKey: string): AuthResult | Promise<AuthResult> {
    if (user.proxyRequired && proxyKey === "") return this.#refuse(request, "Proxy Required");
    const mapped = this.#rules(request.connectionType).mapsCertificates;
    if (user.password === "" && !mapped && this.#isCertificateOnly()) return this.#refuse(request, "Authentication Failure", `User ${goQuote(user.user)} requires a client certificate`);
    return this.#whenMatching(request, user.password, request.connect.pass, () => identityOf(user, proxyKey));
  }

  /** `no_auth_user`: nothing was presented, so nothing is compared. */
  #defaultUser(request: AuthRequest, user: UserOptions, proxyKey: string): AuthResult {
    if (!allowsConnectionType(user, request.connectionType)) return this.#refuse(request, "Authentication Failure", "Connection type not allowed");
    if (user.proxyRequired && proxyKey === "") return this.#refuse(request, "Proxy Required");
    // As if the user's own password were sent: where only its hash is known, that is no password.
    if (user.nkey === "" && isBcrypt(user.password)) return this.#refuse(request);
    return accept(identityOf(user, proxyKey));
  }

  /** Whether users without a password can be reached by certificate on some listener: then they cannot log in without one. */
  #isCertificateOnly(): boolean {
    return (this.#options.tls?.verifyAndMap ?? false) || (this.#options.websocket.port !== 0 && (this.#options.websocket.tls?.verifyAndMap ?? false));
  }

  /** 7d to 7g. */
  #simple(request: AuthRequest, simple: SimpleAuthOptions, proxyKey: string): AuthResult | Promise<AuthResult> {
    if (this.#options.authorizationProxyRequired && proxyKey === "") return this.#refuse(request, "Proxy Required");
    const permissions = this.#options.authorizationPermissions;
    const { connect } = request;
    if (simple.token !== "") return this.#whenMatching(request, simple.token, connect.auth_token, () => ({ account: GLOBAL_ACCOUNT, user: "[REDACTED]", label: "token", permissions, proxyKey }));
    if (simple.username !== "" && simple.username === connect.user) {
      return this.#whenMatching(request, simple.password, connect.pass, () => ({ account: GLOBAL_ACCOUNT, user: simple.username, label: `user:${simple.username}`, permissions, proxyKey }));
    }
    return this.#refuse(request);
  }

  #whenMatching(request: AuthRequest, configured: string, presented: string, identity: () => Identity): AuthResult | Promise<AuthResult> {
    const conclude = (matches: boolean): AuthResult => (matches ? accept(identity()) : this.#refuse(request));
    const matches = secretMatches(configured, presented, this.#hasher);
    return matches instanceof Promise ? matches.then(conclude) : conclude(matches);
  }

  #refuse(request: AuthRequest, reason: CloseReason = "Authentication Failure", detail = ""): Refusal {
    const { connect } = request;
    const who = connect.nkey !== "" ? ` - Nkey ${goQuote(connect.nkey)}` : connect.user !== "" ? ` - User ${goQuote(connect.user)}` : connect.auth_token !== "" ? ' - Token "[REDACTED]"' : "";
    return { ok: false, reason, who, detail };
  }
}

/** 1.6: a listener with credentials of its own replaces the global ones for its clients. Certificate mapping is always the listener's own. */
function websocketRules(options: Options, client: ListenerRules): ListenerRules {
  const { websocket } = options;
  const mapsCertificates = websocket.tls?.verifyAndMap ?? false;
  const overrides = websocket.authorization.username !== "" || websocket.authorization.token !== "" || websocket.noAuthUser !== "";
  if (!overrides) return { ...client, mapsCertificates };
  return { simple: websocket.authorization, noAuthUser: websocket.noAuthUser, mapsCertificates, required: true };
}

function allowsConnectionType(user: UserOptions, type: ConnectionType): boolean {
  return user.allowedConnectionTypes.length === 0 || user.allowedConnectionTypes.includes(type);
}

function identityOf(user: UserOptions, proxyKey: string): Identity {
  const isNkey = user.nkey !== "";
  return { account: user.account, user: isNkey ? user.nkey : user.user, label: isNkey ? `nkey:${user.nkey}` : `user:${user.user}`, permissions: user.permissions, proxyKey };
}

function withWarning(result: AuthResult, warning: string): AuthResult {
  return result.ok ? { ...result, warning } : result;
}

function accept(identity: Identity): AuthResult {
  return { ok: true, identity };
}
