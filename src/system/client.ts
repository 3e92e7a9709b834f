/** A client as events tell of it. Spec: monitoring, section 13. */
import { tokenUserOf, userOf } from "../monitor/index.ts";
import type { ClientLink } from "../links/index.ts";
import { timestamp } from "../util/timestamp.ts";

export function clientBlock(link: ClientLink): Readonly<Record<string, unknown>> {
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
    jwt: present(token?.jwt),
    issuer_key: present(token?.issuerKey),
    name_tag: present(token?.accountTag) ?? link.account.name,
    tags: token === undefined || token.tags.length === 0 ? undefined : token.tags,
    kind,
    client_type,
  };
}
