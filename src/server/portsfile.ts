/**
 * The ports file: where a server that chose free ports tells which. `<folder>/<executable>_<pid>.ports`, compact JSON, one array of URLs per kind of
 * listener; written once all listeners are up, removed at shutdown.
 */
import { type Disk, DiskError } from "../platform/index.ts";

/** The kinds of listener that the file tells, in its order; others are not in it. */
const kinds = ["nats", "monitoring", "cluster", "profile", "websocket"] as const;

export type PortsKind = (typeof kinds)[number];

/** A listener as bound. */
export interface PortsListener {
  readonly kind: PortsKind;
  readonly scheme: "nats" | "tls" | "http" | "https" | "ws" | "wss";
  /** Bound address; a wildcard (`0.0.0.0`, `::`, empty) is told as every address of the machine. */
  readonly host: string;
  readonly port: number;
}

export interface PortsFilePlace {
  readonly folder: string;
  readonly executableName: string;
  readonly pid: number;
}

export function portsFilePath(place: PortsFilePlace): string {
  const folder = place.folder.length > 1 ? place.folder.replace(/\/+$/, "") : place.folder;
  const name = `${place.executableName}_${place.pid}.ports`;
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

function isWildcard(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::" || host === "[::]";
}

function urlOf(scheme: string, host: string, port: number): string {
  return host.includes(":") && !host.startsWith("[") ? `${scheme}://[${host}]:${port}` : `${scheme}://${host}:${port}`;
}

/** Content of the file. `addresses`: this machine's, for wildcard listeners. */
export function portsFileText(listeners: readonly PortsListener[], addresses: readonly string[]): string {
  const urls: Partial<Record<PortsKind, string[]>> = {};
  for (const kind of kinds) {
    const ofKind = listeners.filter((listener) => listener.kind === kind);
    if (ofKind.length === 0) continue;
    urls[kind] = ofKind.flatMap(({ scheme, host, port }) => (isWildcard(host) ? addresses : [host]).map((each) => urlOf(scheme, each, port)));
  }
  return JSON.stringify(urls);
}

/** Writes the file; returns the text of the error line when that fails. */
export function writePortsFile(disk: Pick<Disk, "writeFile">, path: string, listeners: readonly PortsListener[], addresses: readonly string[]): string | undefined {
  try {
    disk.writeFile(path, Buffer.from(portsFileText(listeners, addresses)), 0o666);
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return `Error writing ports file (${path}): ${error.message}`;
  }
}

/** Removes the file; returns the text of the error line when that fails. */
export function removePortsFile(disk: Pick<Disk, "remove">, path: string): string | undefined {
  try {
    disk.remove(path);
    return undefined;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return `Error cleaning up ports file ${path}: ${error.message}`;
  }
}
