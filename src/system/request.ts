/** What a request to a server may say besides its options, and how it is answered. Spec: monitoring, section 15. */
import { nodeZlib } from "../util/builtin.ts";
import { anything, decodeJson, JsonError } from "../jetstream/json/index.ts";
import { encodeJson, parseHeaders } from "../protocol/index.ts";
import { snappyFrame } from "../util/snappyframe.ts";
import type { SystemHost } from "./host.ts";

/** A request that is answered by an error. */
export class ServiceError extends Error {
  constructor(
    readonly code: 400 | 500,
    message: string,
    /** Whether the answer has `data: null` beside the error. */
    readonly withData = false,
  ) {
    super(message);
    this.name = "ServiceError";
  }
}

/** The members of a request's JSON object, by name in any letter case; asked for as the kind that is wanted. */
export class RequestBody {
  readonly #members: ReadonlyMap<string, unknown>;

  private constructor(
    members: object,
    private readonly type: string,
  ) {
    this.#members = new Map(Object.entries(members).map(([name, value]) => [name.toLowerCase(), value]));
  }

  /** An empty body asks for nothing in particular. `type` is what the reference calls the options, for its error texts. Throws `ServiceError`. */
  static read(payload: string, type: string): RequestBody {
    if (payload === "") return new RequestBody({}, type);
    const value = decoded(payload);
    if (value === null || value === undefined) return new RequestBody({}, type);
    if (typeof value !== "object" || Array.isArray(value)) throw new ServiceError(400, `json: cannot unmarshal ${kindOf(value)} into Go value of type server.${type}`);
    return new RequestBody(value, type);
  }

  text(name: string, type = "string"): string {
    return this.#of(name, "", type, (value) => typeof value === "string");
  }

  flag(name: string): boolean {
    return this.#of(name, false, "bool", (value) => typeof value === "boolean");
  }

  number(name: string, type = "int"): number {
    return this.#of(name, 0, type, (value) => Number.isSafeInteger(value) && (type !== "uint64" || Number(value) >= 0));
  }

  texts(name: string): readonly string[] {
    return this.#of<readonly string[]>(name, [], "[]string", (value) => Array.isArray(value) && value.every((each) => typeof each === "string"));
  }

  #of<T>(name: string, absent: T, type: string, fits: (value: unknown) => boolean): T {
    const value = this.#members.get(name);
    if (value === undefined || value === null) return absent;
    if (fits(value)) return value as T;
    const found = typeof value === "number" && typeof absent === "number" ? `number ${value}` : kindOf(value);
    throw new ServiceError(400, `json: cannot unmarshal ${found} into Go struct field ${this.type}.${name} of type ${type}`);
  }
}

function decoded(payload: string): unknown {
  try {
    return decodeJson(payload, anything, false);
  } catch (error) {
    if (error instanceof JsonError) throw new ServiceError(400, error.message);
    throw error;
  }
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}

/** Whether a request to all servers means this one. */
export function isMeant(body: RequestBody, { identity, options }: SystemHost): boolean {
  const exact = body.flag("exact_match");
  const fits = (name: string, own: string): boolean => {
    const wanted = body.text(name);
    return wanted === "" || (exact ? own === wanted : own.includes(wanted));
  };
  if (!fits("server_name", identity.name) || !fits("host", options.host) || !fits("cluster", "")) return false;
  const tags = new Set(options.serverTags.map((tag) => tag.toLowerCase()));
  if (!body.texts("tags").every((tag) => tags.has(tag.toLowerCase()))) return false;
  const domain = body.text("domain");
  return domain === "" || domain === options.jetstream.domain;
}

export interface Answer {
  /** A whole header block, or empty. */
  readonly header: string;
  readonly payload: Uint8Array;
}

/** An answer in the form the request's headers ask for. */
export function encodeAnswer(body: unknown, requestHeader: string): Answer {
  const plain = Buffer.from(encodeJson(body), "utf8");
  const accepted = requestHeader === "" ? undefined : headerOf(requestHeader, "accept-encoding");
  if (accepted === undefined) return { header: "", payload: plain };
  if (/snappy|s2/.test(accepted)) return { header: encoded("snappy"), payload: snappyFrame(plain) };
  if (accepted.includes("gzip")) return { header: encoded("gzip"), payload: nodeZlib().gzipSync(plain) };
  return { header: encoded("identity"), payload: plain };
}

/** The first value, in small letters; undefined when there is none. */
function headerOf(block: string, name: string): string | undefined {
  for (const [key, values] of parseHeaders(block)) if (key.toLowerCase() === name) return values[0]?.toLowerCase();
  return undefined;
}

function encoded(how: string): string {
  return `NATS/1.0\r\nContent-Encoding: ${how}\r\n\r\n`;
}
