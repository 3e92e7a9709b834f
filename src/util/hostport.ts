/** `host:port` texts, with IPv6 hosts in brackets. */

/** An IPv6 host is put in brackets. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]:${port}` : `${host}:${port}`;
}

export type HostPort = { readonly ok: true; readonly host: string; readonly port: number } | { readonly ok: false; readonly error: string };

/** Host and port of `host[:port]`; port 0 when there is none. Error texts are Go's. */
export function splitHostPort(text: string): HostPort {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed === null && text.split(":").length > 2) return { ok: false, error: `address ${text}: too many colons in address` };
  const colon = text.indexOf(":");
  const host = bracketed === null ? (colon === -1 ? text : text.slice(0, colon)) : bracketed[1];
  const port = bracketed === null ? (colon === -1 ? "" : text.slice(colon + 1)) : (bracketed[2] ?? "");
  if (port === "") return { ok: true, host, port: 0 };
  if (!/^[+-]?\d+$/.test(port)) return { ok: false, error: `strconv.Atoi: parsing ${JSON.stringify(port)}: invalid syntax` };
  return { ok: true, host, port: Number(port) };
}
