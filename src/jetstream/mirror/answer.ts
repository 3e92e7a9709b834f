/** What the origin answers to a request for a consumer, or for the reset of one. */
import type { Message } from "../../routing/index.ts";
import type { ApiErrorBody } from "../api/errors.ts";
import { decodeJson, int64, JsonError, object, text, uint64 } from "../json/index.ts";

export interface ConsumerAnswer {
  readonly error: ApiErrorBody | undefined;
  readonly name: string;
  readonly deliverSubject: string;
  readonly ackPolicy: string;
  /** Last sequence that the consumer has delivered already, or passed over. */
  readonly deliveredSeq: number;
  readonly pending: number;
  /** Of the origin; empty: it told none. */
  readonly identity: string;
}

const shape = object({
  error: object({ code: int64, err_code: int64, description: text }),
  name: text,
  config: object({ deliver_subject: text, ack_policy: text }),
  delivered: object({ stream_seq: uint64 }),
  num_pending: uint64,
});

const IDENTITY = "\r\nNats-Stream-Identity:";
const NO_ANSWER = { name: "", deliverSubject: "", ackPolicy: "", deliveredSeq: 0, pending: 0, identity: "" };

export function readAnswer({ buffer, bodyStart, headerLength, bodyEnd }: Message): ConsumerAnswer {
  const block = buffer.latin1Slice(bodyStart, bodyStart + headerLength);
  if (/^NATS\/1\.0 [45]\d\d/.test(block)) return failed(Number(block.slice(9, 12)), 0, block.slice(13, block.indexOf("\r\n")));
  try {
    const { error, name = "", config = {}, delivered, num_pending = 0 } = decodeJson(buffer.toString("utf8", bodyStart + headerLength, bodyEnd), shape, false);
    if (error !== undefined) return failed(error.code ?? 0, error.err_code ?? 0, error.description ?? "");
    const at = block.indexOf(IDENTITY);
    const identity = at < 0 ? "" : block.slice(at + IDENTITY.length, block.indexOf("\r\n", at + 2)).trim();
    const { deliver_subject = "", ack_policy = "" } = config;
    if (name === "" || deliver_subject === "") return failed(500, 0, "consumer has no deliver subject");
    return { error: undefined, name, deliverSubject: deliver_subject, ackPolicy: ack_policy, deliveredSeq: delivered?.stream_seq ?? 0, pending: num_pending, identity };
  } catch (error) {
    if (error instanceof JsonError) return failed(500, 0, `invalid response: ${error.message}`);
    throw error;
  }
}

function failed(code: number, err_code: number, description: string): ConsumerAnswer {
  return { error: { code, err_code, description }, ...NO_ANSWER };
}
