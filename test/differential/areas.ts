/** What is tried: per area a list of configurations, each with its sessions by seed. */
import { BOTH_TCP, type Sides } from "./compare.ts";
import { Prng } from "./prng.ts";
import { PROTOCOL_CONFIGS, protocolSession, TRACE_HEADERS } from "./protocol.ts";
import { certificateFolder } from "../support/certificates.ts";
import { setup, userSession } from "./users.ts";
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

/** Sessions per random configuration. */
const PER_CONFIG = 12;

/** Users, accounts and permissions: a fresh configuration every few sessions. */
function users(permitted: number): Area {
  return {
    variants: (first, count) => Array.from({ length: Math.ceil(count / PER_CONFIG) }, (_, index) => {
      const firstSeed = first + index * PER_CONFIG;
      const made = setup(new Prng(firstSeed), permitted);
      return { name: `config ${firstSeed}`, config: made.config, showConfig: true, firstSeed, count: PER_CONFIG, session: (seed) => userSession(new Prng(seed * 7919), made) };
    }),
    sides: () => BOTH_TCP,
  };
}

const reload: Area = {
  variants: (first, count) => Array.from({ length: Math.ceil(count / PER_CONFIG) }, (_, index) => {
    const firstSeed = first + index * PER_CONFIG;
    const made = setup(new Prng(firstSeed), 0.5, "users");
    return {
      name: `config ${firstSeed}`,
      config: made.config,
      showConfig: true,
      firstSeed,
      count: PER_CONFIG,
      session: (seed) => {
        const random = new Prng(seed * 7919);
        const { steps } = userSession(random, made, random.some(1, 2, () => setup(random, 0.5, "users")));
        return { steps: [{ kind: "reload", config: made.config }, ...steps] };
      },
    };
  }),
  sides: () => ({ ours: { ...BOTH_TCP.ours, ignoresNonce: true }, theirs: { ...BOTH_TCP.theirs, ignoresNonce: true } }),
};

const websocket: Area = {
  withinOurs: true,
  variants: (first, count) => [{ name: "websocket", config: 'websocket { listen: "127.0.0.1:-1", no_tls: true, compression: true }\n', firstSeed: first, count, session: (seed) => protocolSession(new Prng(seed)) }],
  sides: (seed) => ({ ours: { ...BOTH_TCP.ours, monitoring: false, transport: seed % 2 === 0 ? "ws" : "ws-deflate" }, theirs: { ...BOTH_TCP.theirs, monitoring: false } }),
};

const tls: Area = {
  withinOurs: true,
  variants: (first, count) => [{ name: "tls", config: `tls { cert_file: "${certificateFolder()}/server.pem", key_file: "${certificateFolder()}/server-key.pem" }
allow_non_tls: true
`, firstSeed: first, count, session: (seed) => protocolSession(new Prng(seed)) }],
  sides: () => ({ ours: { ...BOTH_TCP.ours, monitoring: false, transport: "tls" }, theirs: { ...BOTH_TCP.theirs, monitoring: false } }),
};

/** Traced messages: which events are told, of what, to whom. */
const trace: Area = {
  variants: (first, count) => {
    const { plain, small, mapped } = PROTOCOL_CONFIGS;
    const each = Math.ceil(count / 3);
    return Object.entries({ plain, small: small.replace("48", "400"), mapped }).map(([name, config], index) => ({ name, config, firstSeed: first + index * each, count: each, session: (seed) => protocolSession(new Prng(seed), TRACE_HEADERS) }));
  },
  // Counters are left out: the reference does not count a refused traced message as received, and counts a marked one with the mark.
  sides: () => ({ ours: { ...BOTH_TCP.ours, monitoring: false }, theirs: { ...BOTH_TCP.theirs, monitoring: false } }),
};

export const AREAS: Readonly<Record<string, Area>> = { protocol, auth: users(0.1), permissions: users(0.9), reload, websocket, tls, trace };
