/** An auth callout service as a user would write one: a client that answers requests, in the open or sealed. */
import { connect, type ConnectionOptions, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { encodeToken, type NewClaims } from "../../src/jwt/index.ts";
import { open, seal } from "../../src/util/xkeys.ts";
import { FREE, ISSUED_S, type Named } from "../support/jwt.ts";

/** What the server tells, as JSON. */
export interface CalloutRequest {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly exp: number;
  readonly nats: {
    readonly server_id: Readonly<Record<string, unknown>>;
    readonly user_nkey: string;
    readonly client_info: Readonly<Record<string, unknown>>;
    readonly connect_opts: Readonly<Record<string, unknown>>;
    readonly client_tls?: Readonly<Record<string, unknown>>;
    readonly type: string;
    readonly version: number;
  };
}

/** What it answers; undefined: nothing at all. */
export type Decision = { readonly response: string } | { readonly raw: Uint8Array } | undefined;

export interface Keys {
  /** Signs answers and users. */
  readonly issuer: Named;
  /** Seed and public key of the service's curve key, when requests are sealed. */
  readonly curve?: { readonly seed: string; readonly publicKey: string };
}

/** Lets `request` in as `name`, in the account that `user.aud` names. */
export function allow(request: CalloutRequest, issuer: Named, user: Partial<NewClaims> & { readonly nats?: NewClaims["nats"] }, answer: Partial<NewClaims> = {}): Decision {
  const jwt = encodeToken({ type: "user", sub: request.nats.user_nkey, iat: ISSUED_S, ...user, nats: { ...FREE, ...user.nats } }, issuer.pair);
  return { response: respond(request, issuer, { jwt, ...(answer.nats ?? {}) }, answer) };
}

/** In operator mode: lets `request` in as a user of `target`, which signs for it; `issuer`, whose service this is, signs the answer. */
export function place(request: CalloutRequest, issuer: Named, target: Named, user: Partial<NewClaims>): Decision {
  const jwt = encodeToken({ type: "user", sub: request.nats.user_nkey, iat: ISSUED_S, ...user, nats: { ...FREE, ...user.nats } }, target.pair);
  return { response: respond(request, issuer, { jwt }, {}) };
}

export function deny(request: CalloutRequest, issuer: Named, error: string): Decision {
  return { response: respond(request, issuer, { error }, {}) };
}

function respond(request: CalloutRequest, issuer: Named, nats: NewClaims["nats"], extra: Partial<NewClaims>): string {
  const server = String(request.nats.server_id["id"]);
  return encodeToken({ type: "authorization_response", sub: request.nats.user_nkey, aud: server, iat: ISSUED_S, ...extra, nats }, issuer.pair);
}

/** Connects and serves until it is closed. `requests` gathers what came. */
export async function serve(options: ConnectionOptions, keys: Keys, decide: (request: CalloutRequest) => Decision): Promise<{ readonly connection: NatsConnection; readonly requests: CalloutRequest[] }> {
  const connection = await connect(options);
  const requests: CalloutRequest[] = [];
  connection.subscribe("$SYS.REQ.USER.AUTH", {
    callback: (_error, message: Msg) => {
      const serverKey = message.headers?.get("Nats-Server-Xkey") ?? "";
      const token = keys.curve === undefined ? message.data : open(message.data, keys.curve.seed, serverKey);
      if (token === undefined) throw new Error("a request that does not open");
      const request = JSON.parse(Buffer.from(Buffer.from(token).toString("latin1").split(".")[1] ?? "", "base64url").toString("utf8")) as CalloutRequest;
      requests.push(request);
      const decision = decide(request);
      if (decision === undefined) return;
      const plain = "raw" in decision ? decision.raw : Buffer.from(decision.response, "latin1");
      message.respond(keys.curve === undefined || plain.length === 0 ? plain : seal(plain, crypto.getRandomValues(new Uint8Array(24)), keys.curve.seed, serverKey));
    },
  });
  await connection.flush();
  return { connection, requests };
}
