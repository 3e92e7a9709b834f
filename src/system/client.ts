/** A client as events tell of it. Spec: monitoring, section 13. */
import { tokenUserOf, userOf } from "../monitor/index.ts";
import { isOperatorMode, type Options } from "../config/index.ts";
import { decodeUser, JwtError } from "../jwt/index.ts";
import type { ClientLink } from "../links/index.ts";
import { timestamp } from "../util/timestamp.ts";

export function clientBlock(link: ClientLink, options: Pick<Options, "operator">): Readonly<Record<string, unknown>> {
  const { kind, client_type, server: _, user: __, rtt, name, lang, ver, ...place } = link.details("");
  const token = tokenUserOf(link);
  const present = (text: string | undefined): string | undefined => (text === "" ? undefined : text);
  return {
    ...place,
    user: present(userOf(link)),
    name,
    lang,
    ver,
    rtt,
    stop: link.isClosed ? timestamp(link.closedAtNs) : undefined,
    jwt: present(token === undefined && isOperatorMode(options) ? presented(link.connect.jwt) : token?.jwt),
    issuer_key: present(token?.issuerKey),
    name_tag: present(token?.accountTag) ?? link.account.name,
    tags: token === undefined || token.tags.length === 0 ? undefined : token.tags,
    kind,
    client_type,
  };
}

/** What a client that was not let in presented; without the token that would be enough for whoever reads it. */
function presented(jwt: string): string {
  try {
    return decodeUser(jwt).bearerToken ? "" : jwt;
  } catch (error) {
    if (error instanceof JwtError) return jwt;
    throw error;
  }
}
