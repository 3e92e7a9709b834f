/**
 * Answers made comparable: what differs by nature (the time of day, random ids, keys, how long ago something was) becomes a mark, everything else stays, with the
 * order of the fields. The texts are compared first; only where they differ are they taken apart, to say where.
 */
import type { Delivered } from "./peer.ts";

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z/g;
const NEAR_MS = 7 * 24 * 3_600_000;

/** Fields whose value says nothing about the server. */
const MASKED_FIELDS = /"(id|active|rtt|cid|start|stop|end|elapsed|host|_nats\.ver|version|nonce)":(?!-1\b)("(?:[^"\\]|\\.)*"|-?[\d.]+)/g;

/** Other servers would call this the same: times near now, ids, keys, times in nanoseconds. */
export function masked(text: string): string {
  return text
    .replace(/"hdrs":"([\w+/=]*)"/g, (_, base64: string) => `"hdrs":${JSON.stringify(Buffer.from(base64, "base64").toString("latin1"))}`)
    .replace(MASKED_FIELDS, '"$1":"<$1>"')
    // When a copy was first tried for, and told that there is no origin, is chance.
    .replace(/("lag":0,"active":[^,}]+),"error":\{"code":404,"err_code":10059,"description":"stream not found"\}/g, "$1")
    // Without responders the reference names the subject that a mapping made, this server the one that was asked.
    .replace(/(NATS\/1\.0 503\r\nNats-Subject: \$JS\.)D\.API/g, "$1API")
    .replace(/,"inflight":\d+/g, "")
    .replace(TIME, (time) => (Math.abs(Date.parse(time) - Date.now()) < NEAR_MS ? "<time>" : time))
    .replace(/\b1[5-9]\d{17}\b/g, "<ns>")
    .replace(/\b[ANUOXC][A-Z2-7]{55}\b/g, "<key>")
    .replace(/\b[0-9A-Za-z]{22}\b/g, "<id>")
    .replace(/(Nats-Stream-Source: [^\r\n]*) [0-9A-Za-z]{8}(?=\r\n|\\r\\n)/g, "$1 <identity>")
    .replace(/(Nats-Stream-Identity: )[^\r\n]*/g, "$1<identity>")
    .replace(/\b(JS_(?:MIRROR|SRC)_[0-9A-Za-z]{8})-[0-9A-Za-z]{8}\b/g, "$1-<id>");
}

/** One message as a text, without the subject of a reply inbox. */
export function comparableMessage({ subject, reply, header, payload }: Delivered): string {
  const to = subject.startsWith("_R.") ? "" : `[${masked(subject)}] `;
  const back = reply === "" ? "" : `(reply ${masked(reply)}) `;
  return `${to}${back}${masked(header)}${masked(payload)}`;
}

export function comparableMessages(messages: readonly Delivered[]): readonly string[] {
  return messages.length === 0 ? ["(silence)"] : messages.map(comparableMessage);
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

const byText = (a: Json, b: Json): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** Lists that come in any order: sources in an info are a map in the reference. */
function settled(value: Json, key = ""): Json {
  if (Array.isArray(value)) {
    const list = (value as readonly Json[]).map((each) => settled(each));
    return key === "sources" ? list.sort(byText) : list;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, settled(each, name)]));
}

function walk(path: string, ours: Json | undefined, theirs: Json | undefined, found: string[]): void {
  if (JSON.stringify(ours) === JSON.stringify(theirs)) return;
  const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } => typeof value === "object" && value !== null;
  if (isObject(ours) && isObject(theirs) && Array.isArray(ours) === Array.isArray(theirs)) {
    const before = found.length;
    for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) walk(`${path}.${key}`, ours[key], theirs[key], found);
    if (found.length === before) found.push(`${path}: order: ours ${Object.keys(ours).join(" ")}, reference ${Object.keys(theirs).join(" ")}`);
    return;
  }
  found.push(`${path}: ours ${JSON.stringify(ours)}, reference ${JSON.stringify(theirs)}`);
}

/** Where two comparable texts differ; empty when they are alike. */
export function textDifferences(ours: string, theirs: string): string[] {
  if (ours === theirs) return [];
  // What a text is about may stand before its JSON.
  const start = ours.indexOf("{");
  if (start > 0 && ours.startsWith(theirs.slice(0, start))) return textDifferences(ours.slice(start), theirs.slice(start)).map((each) => `(${ours.slice(0, start).trim()})${each}`);
  const [mine, other] = [parsed(ours), parsed(theirs)];
  const found: string[] = [];
  if (mine === undefined || other === undefined) found.push(`: ours ${JSON.stringify(ours)}, reference ${JSON.stringify(theirs)}`);
  else {
    walk("", settled(mine), settled(other), found);
    // Numbers beyond 2^53, keys that look like numbers: alike once parsed, but not on the wire. Lists in any order are no difference.
    if (found.length === 0 && [...ours].sort().join("") !== [...theirs].sort().join("")) found.push(`: text: ours ${ours}, reference ${theirs}`);
  }
  return found;
}

/** The same for lists of texts. */
export function differences(ours: readonly string[], theirs: readonly string[]): string[] {
  if (ours.length === theirs.length) return ours.flatMap((text, index) => textDifferences(text, theirs[index] ?? "").map((each) => (ours.length === 1 ? each : `[${index}]${each}`)));
  const without = (texts: readonly string[], others: readonly string[]): string => JSON.stringify(texts.filter((text) => !others.includes(text)));
  return [`.length: ours ${ours.length}, alone ${without(ours, theirs)}, reference ${theirs.length}, alone ${without(theirs, ours)}`];
}
