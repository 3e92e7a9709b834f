/** How a client connection is named in logs, and what of a CONNECT may be shown there. Spec: configuration, sections 7.4 and 7.5. */
import type { ClientLink } from "./client.ts";

/** `<ip>:<port> - cid:<n>`, then ` - "v<version>:<lang>:<name>"` and ` - "<account>/<user>"` of one that was let in. */
export function connectionLabel(link: ClientLink): string {
  const forwarded = link.forwardedFor === "" ? "" : `${bracket(link.forwardedFor)}/`;
  const address = `${forwarded}${bracket(link.socketAddress)}:${link.socketPort}`;
  let label = `${address} - ${link.kind === "websocket" ? "wid" : "cid"}:${link.id}`;
  if (link.identity === undefined) return label;
  const { version, lang, name } = link.connect;
  const told = [version === "" ? "" : `v${version}`, lang, name].filter((part) => part !== "");
  if (told.length > 0) label += ` - "${told.join(":")}"`;
  const tag = link.identity.accountTag === undefined || link.identity.accountTag === "" ? "" : `/${link.identity.accountTag}`;
  if (link.identity.label !== "") label += ` - "${link.identity.account}${tag}/${link.identity.label}"`;
  return label;
}

/** The JSON of a CONNECT with the values of secrets replaced. */
export function redactConnect(json: string): string {
  return json.replace(SECRET, '$1"[REDACTED]"');
}

const SECRET = /("(?:pass[^"]*|auth_token[^"]*|nkey|sig|proxy_sig)"\s*:\s*)(?:"(?:[^"\\]|\\.)*"|[^\s,}]+)/gi;

function bracket(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
