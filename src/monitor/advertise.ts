/** Where a listener says it is: its advertised address, or the one it has. */
export function advertisedAddress(advertise: string, host: string, port: number): { readonly host: string; readonly port: number } {
  if (advertise === "") return { host, port };
  const match = /^(\[[^\]]*\]|[^:]*)(?::(-?\d+))?$/.exec(advertise);
  if (match === null) return { host: advertise, port };
  const advertisedPort = Number(match[2] ?? 0);
  return { host: match[1].replace(/^\[|\]$/g, ""), port: advertisedPort > 0 ? advertisedPort : port };
}
