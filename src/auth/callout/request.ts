/** What the service is told of a client. Spec: accounts and authentication, section 9.3. */
import type { encodeAuthorizationRequest } from "../../jwt/index.ts";
import type { TlsState } from "../../platform/index.ts";
import { VERSION } from "../../util/version.ts";
import type { AuthRequest, AuthResult } from "../types.ts";
import type { CalloutRules } from "./authenticator.ts";
import { verifiedChain } from "./chain.ts";

type Claims = Parameters<typeof encodeAuthorizationRequest>[0];
type Nats = Claims["nats"];

export interface RequestParts {
  readonly request: AuthRequest;
  readonly verdict: AuthResult;
  readonly rules: CalloutRules;
  readonly userKey: string;
  readonly server: { readonly id: string; readonly name: string; readonly xkey: string };
  readonly tags: readonly string[];
  /** Authorities of the listener that the client came by. */
  readonly rootsPem: string;
  readonly nowS: number;
  readonly timeoutMs: number;
  /** Whether a token that the client sent is passed on. */
  readonly forwardsToken: boolean;
  readonly noAuthUser: { readonly user: string; readonly pass: string } | undefined;
}

export function requestClaims(parts: RequestParts): Claims {
  const { request, rules, userKey, server, tags, nowS, timeoutMs } = parts;
  const nats: Nats = {
    server_id: compact({ name: server.name, host: request.host, id: server.id, version: VERSION, tags: tags.length === 0 ? "" : tags, xkey: rules.xkey === "" ? "" : server.xkey }),
    user_nkey: userKey,
    client_info: clientInfo(parts),
    connect_opts: connectOptions(parts),
    ...(request.tls === undefined ? {} : { client_tls: clientTls(request.tls, parts.rootsPem) }),
  };
  return { sub: rules.subject, iat: nowS, exp: nowS + Math.ceil(timeoutMs / 1000), nats };
}

function clientInfo({ request, verdict, noAuthUser }: RequestParts): Nats {
  const { connect, remoteAddress, clientId, connectionType, nonce } = request;
  const token = verdict.ok ? verdict.identity.token?.user : undefined;
  const user = connect.nkey || connect.user || noAuthUser?.user || token?.sub || (connect.auth_token === "" ? "" : "[REDACTED]");
  return {
    ...compact({ host: remoteAddress }),
    id: clientId,
    ...compact({ user, name: connect.name, tags: token === undefined || token.tags.length === 0 ? "" : token.tags, name_tag: token?.name ?? "", kind: "Client", type: connectionType === "WEBSOCKET" ? "websocket" : "nats", nonce: connect.sig === "" ? "" : nonce }),
  };
}

function connectOptions({ request: { connect }, verdict, forwardsToken, noAuthUser }: RequestParts): Nats {
  return {
    ...compact({
      jwt: verdict.ok && forwardsToken ? (verdict.identity.token?.text ?? "") : "",
      nkey: connect.nkey,
      sig: connect.sig,
      auth_token: connect.auth_token,
      user: connect.user || (noAuthUser?.user ?? ""),
      pass: connect.pass || (noAuthUser?.pass ?? ""),
      name: connect.name,
      lang: connect.lang,
      version: connect.version,
    }),
    protocol: connect.protocol,
  };
}

/** A certificate that was presented was verified too: others do not get this far. */
function clientTls({ version, cipherSuite, peerCertificateDer }: TlsState, rootsPem: string): Nats {
  return { ...compact({ version, cipher: cipherSuite }), ...(peerCertificateDer === undefined ? {} : { verified_chains: [verifiedChain(peerCertificateDer, rootsPem)] }) };
}

/** Without what is empty. */
function compact(fields: Readonly<Record<string, string | readonly string[]>>): Nats {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}
