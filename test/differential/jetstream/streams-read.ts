/** Random requests that read, remove and list. */
import type { Prng } from "../prng.ts";
import { damagedJson, STREAM_NAMES } from "./streams-config.ts";
import type { Request } from "./pair.ts";
import type { Delivered } from "./peer.ts";

type Body = Record<string, unknown>;

const SEQUENCES = [0, 1, 2, 3, 4, 5, 6, 8, 100, 1000, 1001, -1, 18446744073709551615] as const;
const SUBJECTS = ["a.1", "a.2", "a.3", "a.*", "a.>", ">", "b.1", "b.>", "c", "t.1", "zz", "*", "a..b", "", "a b", "$KV.k.1"] as const;
const TIMES = ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2020-01-01T00:00:00.123456789+01:00", "x", ""] as const;

/** Some of these fields, each with its chance. */
function some(random: Prng, fields: readonly (readonly [string, number, readonly unknown[]])[]): Body {
  const body: Body = {};
  for (const [name, chance, values] of fields) if (random.chance(chance)) body[name] = random.pick(values);
  if (random.chance(0.03)) body[random.pick(["unknown", "SEQ", "Seq", "filter", "seq", "offset", "no_erase", "keep"])] = random.pick<unknown>([1, null, "x", true, {}, []]);
  return body;
}

function text(random: Prng, body: Body): string {
  if (random.chance(0.02)) return random.pick(["", " ", "{}", "[]", "null", "5", "\"x\"", "x", "{", " { }", "[1]"]);
  const plain = JSON.stringify(body);
  return random.chance(0.02) ? damagedJson(random, plain) : plain;
}

function stream(random: Prng): string {
  return random.chance(0.95) ? random.pick(STREAM_NAMES.slice(0, random.chance(0.6) ? 1 : 3)) : random.pick(["nope", "S1.x", "*", "s1", ""]);
}

function api(random: Prng, verb: string, body: string): Request {
  return { subject: `$JS.API.${verb}`, payload: body, ...(random.chance(0.02) ? { headers: [`Nats-Required-Api-Level: ${random.pick(["0", "5", "6", "x", "", "-1", "+5", "5.0", " 5"])}`] } : {}) };
}

export function messageGet(random: Prng): Request {
  const body = some(random, [["seq", 0.6, SEQUENCES], ["last_by_subj", 0.3, SUBJECTS], ["next_by_subj", 0.3, SUBJECTS], ["start_time", 0.15, TIMES], ["no_hdr", 0.15, [true, false]], ["batch", 0.03, [0, 1]], ["max_bytes", 0.03, [0, 1]]]);
  return api(random, `STREAM.MSG.GET.${stream(random)}`, text(random, body));
}

export function messageDelete(random: Prng): Request {
  return api(random, `STREAM.MSG.DELETE.${stream(random)}`, text(random, some(random, [["seq", 0.95, SEQUENCES], ["no_erase", 0.3, [true, false]]])));
}

export function purge(random: Prng): Request {
  return api(random, `STREAM.PURGE.${stream(random)}`, random.chance(0.3) ? "" : text(random, some(random, [["filter", 0.5, SUBJECTS], ["seq", 0.4, SEQUENCES], ["keep", 0.4, [0, 1, 2, 3, 100, -1]]])));
}

export function info(random: Prng): Request {
  const body = some(random, [["subjects_filter", 0.6, SUBJECTS], ["deleted_details", 0.5, [true, false]], ["offset", 0.3, [0, 1, 2, 100, -1]]]);
  return api(random, `STREAM.INFO.${stream(random)}`, random.chance(0.2) ? "" : text(random, body));
}

export function lists(random: Prng): Request {
  const body = some(random, [["subject", 0.5, SUBJECTS], ["offset", 0.4, [0, 1, 2, 100, -1]]]);
  return api(random, random.pick(["STREAM.NAMES", "STREAM.LIST"]), random.chance(0.3) ? "" : text(random, body));
}

export function accountInfo(random: Prng): Request {
  return api(random, "INFO", random.chance(0.8) ? "" : text(random, {}));
}

export function streamDelete(random: Prng): Request {
  return api(random, `STREAM.DELETE.${stream(random)}`, random.chance(0.8) ? "" : random.pick(["{}", " ", "x", "{\"x\":1}", "{ }", "null", "[]", "\n{}\n"]));
}

/** An answer of several messages ends with a status; one without the header of a batch is alone. */
function isLast({ header }: Delivered): boolean {
  return /^NATS\/1\.0 \d/.test(header) || (header !== "" && !header.includes("\r\nNats-Num-Pending:"));
}

export function directGet(random: Prng): Request {
  const name = stream(random);
  if (random.chance(0.25)) {
    return { subject: `$JS.API.DIRECT.GET.${name}.${random.pick(SUBJECTS.filter((subject) => subject !== "" && !subject.includes(" ") && !subject.includes("..")))}`, payload: random.chance(0.8) ? "" : random.pick(["{}", "{\"no_hdr\":true}", "{\"no_hdr\":false}", "{\"seq\":1}", "x", "{\"no_hdr\":true,\"seq\":0}", "null", "[]"]) };
  }
  const multi = random.chance(0.3);
  const body = some(random, [
    ["seq", multi ? 0.2 : 0.6, SEQUENCES],
    ["last_by_subj", 0.1, SUBJECTS],
    ["next_by_subj", 0.3, SUBJECTS],
    ["start_time", 0.1, TIMES],
    ["batch", 0.4, [0, 1, 2, 3, 100, -1]],
    ["max_bytes", 0.2, [0, 1, 50, 100, 1000, -1]],
    ["multi_last", multi ? 1 : 0.05, [[">"], ["a.*"], ["a.1", "a.2"], ["a.1", "a.*"], [], ["zz"], ["a..b"], [""], "a.1", null, ["a.1", "b.>"]]],
    ["up_to_seq", multi ? 0.3 : 0.05, SEQUENCES],
    ["up_to_time", multi ? 0.2 : 0.05, TIMES],
    ["no_hdr", 0.1, [true, false]],
  ]);
  const request = { subject: `$JS.API.DIRECT.GET.${name}`, payload: text(random, body) };
  return random.chance(0.02) ? { ...request, isLast, headers: [`Nats-Required-Api-Level: ${random.pick(["5", "6", "x"])}`] } : { ...request, isLast: body["no_hdr"] === true && body["batch"] === undefined && !multi ? () => true : isLast };
}

export function snapshots(random: Prng): Request {
  if (random.chance(0.5)) {
    const body = some(random, [["deliver_subject", 0.8, ["nowhere", "a.*", "", "a..b", 5]], ["no_consumers", 0.2, [true]], ["chunk_size", 0.3, [0, 1, -1, 1024, 1e9]], ["window_size", 0.3, [0, 1, -1]], ["jsck", 0.2, [true]]]);
    return api(random, `STREAM.SNAPSHOT.${stream(random)}`, text(random, body));
  }
  const name = stream(random);
  const body = some(random, [["config", 0.9, [{}, { name: "S1" }, { name: "S2", subjects: ["a.1"] }, { name: "" }, null, { name: "S1", max_age: 1 }, { name: "S1", num_replicas: 3 }, { name: "x/y" }]], ["state", 0.8, [{}, null, { messages: 1e12, bytes: 1e15 }, { first_seq: 1, last_seq: 2 }, 5]]]);
  return api(random, `STREAM.RESTORE.${name}`, text(random, body));
}

/** Requests that a server alone has no use for, and some that nobody knows. */
export function others(random: Prng): Request {
  return api(random, random.pick([`STREAM.LEADER.STEPDOWN.${stream(random)}`, `STREAM.PEER.REMOVE.${stream(random)}`, `STREAM.PEER.EVACUATE.${stream(random)}`, `STREAM.CANCEL_MOVE.${stream(random)}`, "META.LEADER.STEPDOWN", "STREAM.TEMPLATE.NAMES", "SERVER.REMOVE", "ACCOUNT.PURGE.A", "STREAM.CREATE", "STREAM.INFO", "STREAM.MSG.GET", "STREAM.NAMES.x", "CONSUMER.NAMES.S1", "CONSUMER.LIST.S1", "INFO.x", ""]), random.chance(0.6) ? "" : text(random, { peer: "x" }));
}
