/**
 * The log at a syslog daemon. Messages are framed as the syslog client of the reference's language does it: the old BSD form on this machine, with an RFC 3339
 * date and the host name over the network, a line feed at the end of each.
 *
 * When the road breaks, messages wait, up to a number, while it is dialled again, at most once a second. Nothing else ever waits.
 */
import type { Clock, SyslogRoad, SyslogRoads, System } from "../platform/index.ts";
import { goQuote } from "../util/quote.ts";
import { levels } from "./level.ts";
import type { Level } from "./level.ts";
import { LogOpenError } from "./sink.ts";
import type { LogSink } from "./sink.ts";
import { bsdStamp, localZone, rfc3339Stamp } from "./stamp.ts";

/** RFC 5424, table 1: system daemons. Only said to the local daemon; over the network the facility is 0, as the reference has it. */
const daemonFacility = 3;

const waitingMax = 1000;
const redialMs = 1000;

/** Where messages go. */
export type SyslogTarget = { readonly kind: "local" } | { readonly kind: "remote"; readonly network: "udp" | "tcp" | "unix"; readonly address: string };

export interface SyslogDoors {
  readonly clock: Clock;
  readonly system: System;
  readonly syslog: SyslogRoads;
}

/** Reads `udp://host:port`, `tcp://host:port` or `unix:/path`. Throws `LogOpenError`. */
export function parseSyslogAddress(url: string): SyslogTarget {
  const match = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(url);
  const scheme = match?.[1]?.toLowerCase() ?? "";
  if (match === null && /^[^/]*:/.test(url)) throw new LogOpenError(`parse ${goQuote(url)}: first path segment in URL cannot contain colon`);
  const badEscape = /%(?![0-9a-f]{2}).{0,2}/i.exec(url);
  if (badEscape !== null) throw new LogOpenError(`parse ${goQuote(url)}: invalid URL escape ${goQuote(badEscape[0])}`);
  const rest = (match?.[2] ?? "").replace(/[?#].*$/, "");
  const authority = rest.startsWith("//") ? rest.slice(2) : undefined;
  const slash = authority?.indexOf("/") ?? 0;
  const host = authority === undefined ? "" : slash < 0 ? authority : authority.slice(0, slash);
  const path = authority === undefined ? rest : slash < 0 ? "" : authority.slice(slash);
  if (scheme === "udp" || scheme === "tcp") return { kind: "remote", network: scheme, address: host.slice(host.lastIndexOf("@") + 1) };
  if (scheme === "unix") return { kind: "remote", network: scheme, address: decodeURIComponent(path) };
  throw new LogOpenError(`error invalid network type: ${goQuote(scheme)}`);
}

export class SyslogSink implements LogSink {
  readonly #doors: SyslogDoors;
  readonly #target: SyslogTarget;
  #road: SyslogRoad;
  /** Messages for the next road; only while the last one is broken. */
  #waiting: Uint8Array[] = [];
  #redialing = false;
  #closed = false;

  private constructor(doors: SyslogDoors, target: SyslogTarget, road: SyslogRoad) {
    this.#doors = doors;
    this.#target = target;
    this.#road = road;
  }

  /** Dials the daemon. Rejects with `LogOpenError`. */
  static async open(doors: SyslogDoors, target: SyslogTarget): Promise<SyslogSink> {
    try {
      return new SyslogSink(doors, target, await dial(doors, target));
    } catch (error) {
      throw new LogOpenError(`error connecting to syslog: ${goQuote(error instanceof Error ? error.message : String(error))}`);
    }
  }

  write(level: Level, text: string): void {
    const message = Buffer.from(this.#frame(level, text));
    if (!this.#redialing && this.#road.send(message)) return;
    if (this.#waiting.length < waitingMax) this.#waiting.push(message);
    if (!this.#redialing) void this.#redial();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#road.close();
  }

  #frame(level: Level, text: string): string {
    const { clock, system } = this.#doors;
    const atNs = clock.nowNs();
    const zone = localZone(clock, atNs);
    const { severity } = levels[level];
    const said = `${system.executableName}[${system.pid}]: ${text}${text.endsWith("\n") ? "" : "\n"}`;
    if (this.#target.kind === "local") return `<${daemonFacility * 8 + severity}>${bsdStamp(atNs, zone)} ${said}`;
    if (this.#target.network === "unix") return `<${severity}>${bsdStamp(atNs, zone)} ${said}`;
    return `<${severity}>${rfc3339Stamp(atNs, zone)} ${system.hostName} ${said}`;
  }

  async #redial(): Promise<void> {
    this.#redialing = true;
    await this.#road.close();
    let road: SyslogRoad | undefined;
    try {
      road = await dial(this.#doors, this.#target);
    } catch {
      this.#doors.clock.after(redialMs, () => {
        if (!this.#closed) void this.#redial();
      });
      return;
    }
    if (this.#closed) return road.close();
    this.#road = road;
    this.#redialing = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const message of waiting) road.send(message);
  }
}

function dial(doors: SyslogDoors, target: SyslogTarget): Promise<SyslogRoad> {
  return target.kind === "local" ? doors.syslog.local() : doors.syslog.dial(target.network, target.address);
}
