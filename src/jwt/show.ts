/** Claims as monitoring shows them: the token's own fields in the order of the standard, with what the kind of claim always has. */
import type { Json, JsonObject } from "./fields.ts";
import { isObject } from "./fields.ts";

const ORDER = ["aud", "exp", "jti", "iat", "iss", "name", "nbf", "sub"] as const;

/** `token` was decoded before, so that it has three parts and the middle one is an object. */
export function shownClaims(token: string): JsonObject {
  const claims: Json = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
  if (!isObject(claims)) throw new Error("a token that was decoded holds an object");
  const nats = isObject(claims["nats"] ?? null) ? (claims["nats"] as JsonObject) : {};
  const { tags, type, version, ...fields } = nats;
  const always: JsonObject = type === "account" ? { default_permissions: { pub: {}, sub: {} }, authorization: {} } : {};
  const shown: Record<string, Json> = {};
  for (const name of ORDER) if (claims[name] !== undefined) shown[name] = claims[name];
  shown["nats"] = { ...fields, ...missing(always, fields), ...(tags === undefined ? {} : { tags }), ...(type === undefined ? {} : { type }), ...(version === undefined ? {} : { version }) };
  return shown;
}

function missing(always: JsonObject, present: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(always).filter(([name]) => present[name] === undefined));
}
