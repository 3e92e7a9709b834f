/**
 * What a server sent, taken apart into frames, and made comparable: what differs by nature (ids, ports, keys, times) is left out, and the deliveries between
 * two other frames are put in the order of their subscriptions, since a server may serve the subscriptions of one client in any order. The order of one
 * subscription's messages stays. Deliveries to queue subscriptions (their sids begin with `q`) go to a pool of the group, because who of it gets a message is chance.
 */
import type { ByteStream } from "../support/byte-stream.ts";
import { EndOfStream } from "../support/byte-stream.ts";

export interface Frame {
  readonly kind: "message" | "line";
  /** The sid of a message. */
  readonly sid: string;
  /** The whole frame; a message's without its sid and, for a member of a queue group, without what depends on the member. */
  readonly text: string;
}

/** Fields of INFO that differ between two servers, or two connections of one. */
const INFO_OMITTED: ReadonlySet<string> = new Set(["server_id", "server_name", "version", "git_commit", "go", "port", "client_id", "xkey"]);

function comparableInfo(json: string): string {
  const info = JSON.parse(json) as Record<string, unknown>;
  const kept = Object.entries(info).filter(([key]) => !INFO_OMITTED.has(key)).map(([key, value]) => [key, key === "nonce" ? "any" : value] as const);
  return `INFO ${JSON.stringify(Object.fromEntries(kept))}`;
}

/** Whether the deliveries of this subscription go to its group's pool. */
export function isQueueSid(sid: string): boolean {
  return sid.startsWith("q");
}

/** Times, ids and addresses in a body that is the server's own (a trace event). */
function comparableBody(body: string): string {
  if (!body.startsWith('{"server":')) return body;
  const event = JSON.parse(Buffer.from(body, "latin1").toString("utf8")) as { server: unknown; events: Record<string, unknown>[] };
  const [ingress, ...others] = event.events.map((one) => JSON.stringify({ ...one, ts: "time", ...("cid" in one ? { cid: "any" } : {}) }));
  return JSON.stringify({ ...event, server: "server", events: [ingress, ...others.sort()] });
}

/** Reads frames until the stream ends; what is left over then is the last frame. */
export async function readFrames(stream: ByteStream, onFrame: (frame: Frame, raw: string) => void): Promise<void> {
  const forever = 600_000;
  try {
    for (;;) {
      const line = await stream.readLine(forever);
      const parts = line.split(" ");
      if (parts[0] !== "MSG" && parts[0] !== "HMSG") {
        onFrame({ kind: "line", sid: "", text: line.startsWith("INFO {") ? comparableInfo(Buffer.from(line.slice(5), "latin1").toString("utf8")) : line }, line);
        continue;
      }
      const size = Number(parts.at(-1));
      const headerSize = parts[0] === "HMSG" ? Number(parts.at(-2)) : 0;
      const body = (await stream.readBytes(size + 2, forever)).toString("latin1");
      const sid = parts[2] ?? "";
      const payload = body.slice(headerSize, -2);
      const own = comparableBody(payload);
      if (own !== payload) parts.pop();
      const kept = isQueueSid(sid) ? [parts[1], own] : [...parts.slice(0, 2), ...parts.slice(3), body.slice(0, headerSize), own, body.slice(-2)];
      onFrame({ kind: "message", sid, text: JSON.stringify(kept) }, line);
    }
  } catch (error) {
    if (!(error instanceof EndOfStream)) throw error;
    if (stream.pending.length > 0) onFrame({ kind: "line", sid: "", text: `rest: ${stream.pending.toString("latin1")}` }, "");
  }
}

/** The reference says this when it has read the control line, and again when the line was cut by the end of a read; this server once, with the message. */
const EARLY_ERROR = "-ERR 'Invalid Publish Subject'";

/** How a trace event looks when `comparableBody` is done with it, in JSON. It comes when it comes: also after a later PONG. */
const TRACE_EVENT = '\\"server\\":\\"server\\"';

/** Orders neighbouring messages by subscription, and moves those of queue groups to `pool`. */
export function comparable(frames: readonly Frame[], pool: string[]): string[] {
  const result: string[] = [];
  frames = frames.filter((frame) => frame.text !== EARLY_ERROR);
  let run: Frame[] = [];
  const flush = (): void => {
    run.sort((a, b) => (a.sid < b.sid ? -1 : a.sid > b.sid ? 1 : 0));
    for (const frame of run) result.push(`${frame.sid} ${frame.text}`);
    run = [];
  };
  for (const frame of frames) {
    if (frame.kind === "line") {
      flush();
      result.push(frame.text);
    } else if (frame.text.includes(TRACE_EVENT)) pool.push(`trace ${frame.sid} ${frame.text}`);
    else if (isQueueSid(frame.sid)) pool.push(`${frame.sid.split("-")[0] ?? ""} ${frame.text}`);
    else run.push(frame);
  }
  flush();
  return result;
}
