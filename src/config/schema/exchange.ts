/**
 * `exports` and `imports` of an account as they are written. What an entry means for other accounts (who may import, cycles) is checked in
 * `config/exchange.ts`, when all accounts are known.
 */
import { parseDuration } from "../../util/duration.ts";
import { goQuote } from "../../util/quote.ts";
import type { ExportOptions, ImportOptions, LatencyOptions, ResponseType } from "../options.ts";
import { type MapValue, type Node, type Position, typeName } from "../values.ts";
import { type AnyOption, type Form, option, type Reading, WrongType, wrongType } from "./form.ts";
import { flag, integer, text } from "./forms.ts";

const responseThreshold: Form<bigint> = {
  label: "duration string",
  read({ node }, reading) {
    const written = node.value.kind === "string" ? node.value.text : undefined;
    const parsed = written === undefined ? undefined : parseDuration(written);
    if (parsed?.ok === true) return parsed.ns;
    const got = written === undefined ? typeName(node.value) : goQuote(written);
    reading.error(node.position, `Expected response threshold to be a parseable time duration, got ${got}`);
    return undefined;
  },
};

export const exportBlock = {
  stream: option(text, "Subject that other accounts may import as a stream."),
  service: option(text, "Subject that other accounts may send requests to."),
  accounts: option(text, "Accounts that may import; all when absent."),
  account_token_position: option(integer, "Token of the subject that names the importing account."),
  response_type: option(text, "`singleton`, `stream` or `chunked`.", { aliases: ["response"], default: "singleton" }),
  response_threshold: option(responseThreshold, "Time for responses.", { aliases: ["threshold", "response_max_time", "response_time"], default: '"2m"' }),
  latency: option(text, "Subject for latency measurements, or `{subject, sampling}`."),
  allow_trace: option(flag, "Service: let message traces pass."),
} satisfies Record<string, AnyOption>;

export const importBlock = {
  stream: option(text, "`{account, subject}` of an exported stream."),
  service: option(text, "`{account, subject}` of an exported service."),
  prefix: option(text, "Stream: local prefix."),
  to: option(text, "Local subject."),
  share: option(flag, "Service: share client information with the exporter."),
  allow_trace: option(flag, "Stream: let message traces pass."),
} satisfies Record<string, AnyOption>;

/** Lower-case names and aliases to first names. */
function namesOf(block: Readonly<Record<string, AnyOption>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(block).flatMap(([name, { aliases }]) => [name, ...aliases].map((each): [string, string] => [each, name])));
}

const EXPORT_KEYS = namesOf(exportBlock);
const IMPORT_KEYS = namesOf(importBlock);

/** Reads every item of a list whose items are maps. An error in one item leaves the others alone. */
function itemList<T>(what: "Export" | "Import", readItem: (item: Node, map: MapValue, reading: Reading) => T | undefined): Form<readonly T[]> {
  return {
    label: "list of blocks",
    read({ node }, reading) {
      if (node.value.kind !== "array") {
        reading.error(node.position, `${what}s should be an array, got ${typeName(node.value)}`);
        return undefined;
      }
      const read: T[] = [];
      for (const item of node.value.items) {
        if (item.value.kind !== "map") {
          reading.error(item.position, `${what} Items should be a map with type entry, got ${typeName(item.value)}`);
          continue;
        }
        const one = reporting(reading, () => readItem(item, item.value as MapValue, reading));
        if (one !== undefined) read.push(one);
      }
      return read;
    },
  };
}

/** A value of a wrong type ends what is being read, and is an error at its place. */
function reporting<T>(reading: Reading, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WrongType)) throw error;
    reading.error(error.position, error.message);
    return undefined;
  }
}

function textOf(node: Node): string {
  if (node.value.kind !== "string") throw wrongType(node, "string");
  return node.value.text;
}

function flagOf(node: Node): boolean {
  if (node.value.kind !== "boolean") throw wrongType(node, "bool");
  return node.value.boolean;
}

interface ReadExport {
  kind?: "stream" | "service";
  subject: string;
  accounts?: readonly string[];
  accountTokenPosition: number;
  responseType?: ResponseType;
  responseTypeAt?: Position;
  responseThresholdMs?: number;
  latency?: LatencyOptions;
  latencyAt?: Position;
  allowTrace: boolean;
  allowTraceAt?: Position;
}

const RESPONSE_TYPES: ReadonlyMap<string, ResponseType> = new Map([
  ["single", "singleton"],
  ["singleton", "singleton"],
  ["stream", "stream"],
  ["chunk", "chunked"],
  ["chunked", "chunked"],
]);

/** Entries count in the order in which they are written: a directive for services is an error only on what is known to be a stream by then. */
export const exportList: Form<readonly ExportOptions[]> = itemList("Export", (_item, map, reading) => {
  const found: ReadExport = { subject: "", accountTokenPosition: 0, allowTrace: false };
  for (const [key, node] of map.entries) readExportKey(EXPORT_KEYS.get(key.toLowerCase()), key, node, found, reading);
  if (found.kind === undefined) return undefined;
  const { kind, subject, accounts, accountTokenPosition, latency, allowTrace } = found;
  return { kind, subject, accounts, accountTokenPosition, responseType: found.responseType ?? "singleton", responseThresholdMs: found.responseThresholdMs ?? 0, latency, allowTrace };
});

function readExportKey(name: string | undefined, key: string, node: Node, found: ReadExport, reading: Reading): void {
  const { position } = node;
  const isStream = found.kind === "stream";
  switch (name) {
    case "stream":
      return readExportedStream(node, found, reading);
    case "service":
      return readExportedService(node, found, reading);
    case "accounts":
      if (node.value.kind !== "array") throw wrongType(node, "[]interface {}");
      found.accounts = node.value.items.map(textOf);
      return;
    case "account_token_position":
      if (node.value.kind !== "integer") throw wrongType(node, "int64");
      found.accountTokenPosition = Number(node.value.integer);
      return;
    case "response_type":
      if (found.responseTypeAt !== undefined) return reading.error(position, "Duplicate response type definition");
      found.responseTypeAt = position;
      if (node.value.kind !== "string") return reading.error(position, `Expected response type to be string, got ${typeName(node.value)}`);
      found.responseType = RESPONSE_TYPES.get(node.value.text.toLowerCase());
      if (found.responseType === undefined) return reading.error(position, `Unknown response type: ${goQuote(node.value.text)}`);
      if (isStream) reading.error(position, "Detected response directive on non-service");
      return;
    case "response_threshold": {
      if (found.responseThresholdMs !== undefined) return reading.error(position, "Duplicate response threshold detected");
      const ns = responseThreshold.read({ key, name, node }, reading);
      if (ns === undefined) return;
      found.responseThresholdMs = Number(ns) / 1e6;
      if (isStream) reading.error(position, "Detected response directive on non-service");
      return;
    }
    case "latency":
      found.latencyAt = position;
      found.latency = readLatency(node, reading);
      if (isStream) reading.error(position, "Detected latency directive on non-service");
      return;
    case "allow_trace":
      found.allowTraceAt = position;
      found.allowTrace = flagOf(node);
      if (isStream) reading.error(position, "Detected allow_trace directive on non-service");
      return;
    default:
      if (!node.used) reading.error(position, `unknown field ${goQuote(key)}`);
  }
}

function readExportedStream(node: Node, found: ReadExport, reading: Reading): void {
  if (node.value.kind !== "string") return reading.error(node.position, `Expected stream name to be string, got ${typeName(node.value)}`);
  if (found.kind === "service") return reading.error(node.position, `Detected stream ${goQuote(node.value.text)} but already saw a service`);
  if (found.responseTypeAt !== undefined) return reading.error(found.responseTypeAt, "Detected response directive on non-service");
  if (found.latencyAt !== undefined) return reading.error(found.latencyAt, "Detected latency directive on non-service");
  if (found.allowTraceAt !== undefined) return reading.error(found.allowTraceAt, "Detected allow_trace directive on non-service");
  found.kind = "stream";
  found.subject = node.value.text;
}

function readExportedService(node: Node, found: ReadExport, reading: Reading): void {
  if (node.value.kind !== "string") return reading.error(node.position, `Expected service name to be string, got ${typeName(node.value)}`);
  if (found.kind === "stream") return reading.error(node.position, `Detected service ${goQuote(node.value.text)} but already saw a stream`);
  found.kind = "service";
  found.subject = node.value.text;
}

function readLatency(node: Node, reading: Reading): LatencyOptions | undefined {
  const { value, position } = node;
  if (value.kind === "string") return { subject: value.text, samplingPercent: 100 };
  if (value.kind !== "map") {
    reading.error(position, `Expected latency entry to be a map/struct or string, got ${typeName(value)}`);
    return undefined;
  }
  let subject: string | undefined;
  let samplingPercent: number | undefined = 100;
  for (const [key, entry] of value.entries) {
    const name = key.toLowerCase();
    if (name === "sampling") samplingPercent = readSampling(entry, reading);
    else if (name === "subject") subject = textOf(entry);
  }
  if (samplingPercent === undefined) return undefined;
  if (subject === undefined) {
    reading.error(position, "Latency subject required, but missing");
    return undefined;
  }
  return { subject, samplingPercent };
}

/** Percent; 0 stands for `headers`. */
function readSampling({ value, position }: Node, reading: Reading): number | undefined {
  if (value.kind !== "integer" && value.kind !== "string") {
    reading.error(position, `Expected latency sample to be a string or map/struct, got ${typeName(value)}`);
    return undefined;
  }
  if (value.kind === "string" && value.text.trim().toLowerCase() === "headers") return 0;
  const digits = value.kind === "integer" ? value.integer.toString() : value.text.replace(/%$/, "");
  if (!/^[+-]?\d+$/.test(digits)) {
    reading.error(position, `Failed to parse latency sample: strconv.Atoi: parsing ${goQuote(digits)}: invalid syntax`);
    return undefined;
  }
  const percent = Number(digits);
  if (percent >= 1 && percent <= 100) return percent;
  reading.error(position, "bad sampling percentage, should be 1-100");
  return undefined;
}

interface ReadImport {
  kind?: "stream" | "service";
  account: string;
  subject: string;
  prefix: string;
  to: string;
  share: boolean;
  allowTrace: boolean;
}

/** An import, and where its item stands: duplicates are reported there. */
export interface PlacedImport {
  readonly position: Position;
  readonly options: ImportOptions;
}

export const importList: Form<readonly PlacedImport[]> = itemList("Import", (item, map, reading) => {
  const found: ReadImport = { account: "", subject: "", prefix: "", to: "", share: false, allowTrace: false };
  for (const [key, node] of map.entries) readImportKey(IMPORT_KEYS.get(key.toLowerCase()), key, node, found, reading);
  if (found.kind === undefined) return undefined;
  const { kind, account, subject, share, allowTrace } = found;
  return { position: item.position, options: { kind, account, subject, to: found.to, prefix: kind === "stream" && found.to === "" ? found.prefix : "", share, allowTrace } };
});

function readImportKey(name: string | undefined, key: string, node: Node, found: ReadImport, reading: Reading): void {
  const { position } = node;
  switch (name) {
    case "stream":
    case "service": {
      if (found.kind !== undefined && found.kind !== name) return reading.error(position, `Detected ${name} but already saw a ${found.kind}`);
      const source = readSource(name, node, reading);
      if (source !== undefined) Object.assign(found, source, { kind: name });
      return;
    }
    case "prefix":
      found.prefix = textOf(node);
      return;
    case "to":
      found.to = textOf(node);
      if (found.kind === "stream" && found.prefix !== "") {
        found.to = "";
        reading.error(position, "Stream import can not have a 'prefix' and a 'to' property");
      }
      return;
    case "share":
      found.share = flagOf(node);
      return;
    case "allow_trace":
      if (found.kind === "service") return reading.error(position, "Detected allow_trace directive on a non-stream");
      found.allowTrace = flagOf(node);
      return;
    default:
      if (!node.used) reading.error(position, `unknown field ${goQuote(key)}`);
  }
}

function readSource(name: "stream" | "service", { value, position }: Node, reading: Reading): { readonly account: string; readonly subject: string } | undefined {
  if (value.kind !== "map") {
    reading.error(position, `${name === "stream" ? "Stream" : "Service"} entry should be an account map, got ${typeName(value)}`);
    return undefined;
  }
  let account = "";
  let subject = "";
  reporting(reading, () => {
    for (const [key, node] of value.entries) {
      const field = key.toLowerCase();
      if (field === "account") account = textOf(node);
      else if (field === "subject") subject = textOf(node);
      else if (!node.used) reading.error(node.position, `unknown field ${goQuote(key)}`);
    }
  });
  if (account !== "" && subject !== "") return { account, subject };
  reading.error(position, "Expect an account name and a subject");
  return undefined;
}
