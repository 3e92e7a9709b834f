/** What is tried: per area a list of configurations, each with its sessions by seed. */
import { BOTH_TCP, type Sides } from "./compare.ts";
import { Prng } from "./prng.ts";
import { PROTOCOL_CONFIGS, protocolSession } from "./protocol.ts";
import type { Session } from "./session.ts";

export interface Variant {
  readonly name: string;
  readonly config: string;
  readonly firstSeed: number;
  readonly count: number;
  /** The configuration belongs to what a reader must see of a difference. */
  readonly showConfig?: boolean;
  session(seed: number): Session;
}

export interface Area {
  /** Compares transports on our own server instead of two servers. */
  readonly withinOurs?: boolean;
  /** `count` sessions in all, from seed `first` on. */
  variants(first: number, count: number): readonly Variant[];
  sides(seed: number): Sides;
}

const protocol: Area = {
  variants: (first, count) => {
    const each = Math.ceil(count / Object.keys(PROTOCOL_CONFIGS).length);
    return Object.entries(PROTOCOL_CONFIGS).map(([name, config], index) => ({ name, config, firstSeed: first + index * each, count: each, session: (seed) => protocolSession(new Prng(seed)) }));
  },
  sides: () => BOTH_TCP,
};

export const AREAS: Readonly<Record<string, Area>> = { protocol };
