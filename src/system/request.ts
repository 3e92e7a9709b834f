/** What a request to a server may say besides its options, and how it is answered. Spec: monitoring, section 15. */
import { nodeZlib } from "../util/builtin.ts";
import { anything, decodeJson, JsonError, record } from "../jetstream/json/index.ts";
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

/** The members of a request's JSON object, by name; asked for as the kind that is wanted. */
export class RequestBody {
  private constructor(private readonly members: Readonly<Record<string, unknown>>) {}

  /** Empty bodies ask for nothing in particular. Throws `ServiceError`. */
  static read(payload: string): RequestBody {
    if (payload.trim() === "") return new RequestBody({});
    try {
      return new RequestBody(decodeJson(payload, record(anything), false));
    } catch (error) {
      if (error instanceof JsonError) throw new ServiceError(400, error.message);
      throw error;
    }
  }

  text(name: string): string {
    return this.#of(name, "string", "");
  }

  flag(name: string): boolean {
    return this.#of(name, "boolean", false);
  }

  number(name: string): number {
    return this.#of(name, "number", 0);
  }

  texts(name: string): readonly string[] {
    const value = this.members[name];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw wrongKind(name, value, "[]string");
    return value;
  }

  has(name: string): boolean {
    return this.members[name] !== undefined;
  }

  #of<T extends string | boolean | number>(name: string, kind: "string" | "boolean" | "number", absent: T): T {
    const value = this.members[name];
    if (value === undefined || value === null) return absent;
    if (typeof value !== kind) throw wrongKind(name, value, kind === "boolean" ? "bool" : kind === "number" ? "int" : "string");
    return value as T;
  }
}

function wrongKind(name: string, value: unknown, wanted: string): ServiceError {
  const kind = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  return new ServiceError(400, `json: cannot unmarshal ${kind} into Go struct field .${name} of type ${wanted}`);
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
