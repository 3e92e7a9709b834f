/**
 * The two questions of this folder, as types: who is this (`Authenticator`), and what may they do (`permissions.ts`).
 */
import type { ConnectionType, PermissionOptions } from "../config/index.ts";
import type { UserClaims, UserLimits } from "../jwt/index.ts";
import type { TlsState } from "../platform/index.ts";
import type { CloseReason, ConnectOptions } from "../protocol/index.ts";

/** What a connection presents. */
export interface AuthRequest {
  readonly connectionType: ConnectionType;
  readonly connect: ConnectOptions;
  /** The nonce that was sent to this connection, or empty. */
  readonly nonce: string;
  readonly tls: TlsState | undefined;
  /** Address the client comes from, as text. */
  readonly remoteAddress: string;
  readonly clientId: number;
  /** Address that the server listens on, as configured. */
  readonly host: string;
}

/** Who somebody turned out to be. */
export interface Identity {
  /** Account name. */
  readonly account: string;
  /** As monitoring shows it: nkey, user name or `[REDACTED]` for a token; empty for an anonymous client. */
  readonly user: string;
  /** As the log prefix shows it: `user:a`, `nkey:U...`, `token`; empty for an anonymous client. */
  readonly label: string;
  readonly permissions: PermissionOptions | undefined;
  /** Key of the trusted proxy this connection came through, or empty. */
  readonly proxyKey: string;
  /** Name in the account's token; only with a token. */
  readonly accountTag?: string;
  /** Of this user alone, negative: none; absent: none at all. */
  readonly limits?: { readonly maxSubscriptions: number; /** Bytes. */ readonly maxPayload: number };
  /** Seconds since the Unix epoch; 0 or absent: never. */
  readonly expiresAtS?: number;
  /** What was judged, to be judged again when the account changes its mind. */
  readonly token?: TokenIdentity;
  /** Who vouches for a user whom an auth callout service let in, as monitoring shows it: then what the client presented is not what it is. */
  readonly delegatedBy?: string;
}

/** A user who came with a token. */
export interface TokenIdentity {
  /** As it was presented. */
  readonly text: string;
  readonly user: UserClaims;
  /** In force: the user's own, or those of the signing key's template. */
  readonly limits: UserLimits;
  /** Key that signed. */
  readonly signer: string;
  /** The template as text: another one means another user. */
  readonly scope: string;
}

export type AuthResult =
  | {
      readonly ok: true;
      readonly identity: Identity;
      /** Something odd about what was presented, for the log. */
      readonly warning?: string;
    }
  | {
      readonly ok: false;
      readonly reason: CloseReason;
      /** How the log line goes on after `authentication error`: ` - User "x"`, or empty. */
      readonly who: string;
      /** Why, for the debug log; empty when there is nothing to add. */
      readonly detail: string;
      /** How loud `detail` is told; absent: for those who look for it. */
      readonly level?: "debug" | "error";
    };

/** Built from the options, replaced at reload. */
export interface Authenticator {
  /** Whether connections of this kind must authenticate. */
  required(type: ConnectionType): boolean;
  /** Whether INFO carries `auth_required`. */
  announced(type: ConnectionType): boolean;
  /** Whether INFO carries a nonce. */
  readonly nonceRequired: boolean;
  /** Milliseconds to present a CONNECT. */
  timeoutMs(type: ConnectionType): number;
  /** Whether a first operation other than CONNECT logs in as `no_auth_user`. */
  allowsImplicitLogin(type: ConnectionType): boolean;
  /** A promise only when a slow comparison (bcrypt) is needed. Never rejects. */
  authenticate(request: AuthRequest): AuthResult | Promise<AuthResult>;
}
