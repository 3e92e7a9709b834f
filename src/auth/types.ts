/**
 * The two questions of this folder, as types: who is this (`Authenticator`), and what may they do (`permissions.ts`).
 */
import type { ConnectionType, PermissionOptions } from "../config/index.ts";
import type { TlsState } from "../platform/index.ts";
import type { CloseReason, ConnectOptions } from "../protocol/index.ts";

/** What a connection presents. */
export interface AuthRequest {
  readonly connectionType: ConnectionType;
  readonly connect: ConnectOptions;
  /** The nonce that was sent to this connection, or empty. */
  readonly nonce: string;
  readonly tls: TlsState | undefined;
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
