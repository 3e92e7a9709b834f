/** What both ways to authenticate (users of the configuration, tokens of operators) read in the same way from a request and the options. */
import type { ConnectionType, Options, TlsOptions } from "../config/index.ts";
import { verifySignature } from "../util/nkeys.ts";
import type { AuthRequest } from "./types.ts";

/** Time to present a CONNECT without TLS, and how much longer than its handshake a TLS connection gets. */
const DEFAULT_TIMEOUT_MS = 2000;
const AFTER_TLS_MS = 1000;

/** The time a client has to authenticate when none is configured. */
export function defaultTimeoutMs(tls: TlsOptions | undefined): number {
  return tls === undefined ? DEFAULT_TIMEOUT_MS : tls.timeoutMs + AFTER_TLS_MS;
}

/** Milliseconds that a connection of this kind has to present a CONNECT. */
export function authTimeoutMs({ websocket, authorization, tls }: Options, type: ConnectionType): number {
  const own = type === "WEBSOCKET" ? websocket.authorization.timeoutMs : undefined;
  return own ?? authorization.timeoutMs ?? defaultTimeoutMs(tls);
}

/** Key of the trusted proxy that signed; empty when nobody did; undefined when somebody unknown did. */
export function trustedProxy(trusted: readonly string[], { connect, nonce }: Pick<AuthRequest, "connect" | "nonce">): string | undefined {
  if (trusted.length === 0 || connect.proxy_sig === "") return "";
  const signature = Buffer.from(connect.proxy_sig, "base64url");
  return trusted.find((key) => verifySignature(key, Buffer.from(nonce, "latin1"), signature));
}

/** base64url without padding, or standard base64; undefined: neither. */
export function decodeSignature(text: string): Buffer | undefined {
  if (/^[A-Za-z0-9_-]+$/.test(text)) return Buffer.from(text, "base64url");
  return /^[A-Za-z0-9+/]+=*$/.test(text) ? Buffer.from(text, "base64") : undefined;
}
