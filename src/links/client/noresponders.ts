/** The answer to a request that nobody took: status 503 with the subject it went to. Spec: client protocol, section 5.8. */
import { Message } from "../../routing/index.ts";

export function noRespondersMessage(reply: string, subject: string): Message {
  const header = `NATS/1.0 503\r\nNats-Subject: ${subject}\r\n\r\n`;
  return internalMessage(reply, undefined, header, "");
}

/**
 * A message made by the server. All arguments are byte strings; `header` is a whole header block or empty. Without a reply a delivery has one blank before the
 * size; an empty reply is two blanks, which is how the reference's own publications look on the wire.
 */
export function internalMessage(subject: string, reply: string | undefined, header: string, payload: string): Message {
  const sizes = header === "" ? `${payload.length}` : `${header.length} ${header.length + payload.length}`;
  const message = new Message();
  const tail = `${reply === undefined ? "" : ` ${reply}`} ${sizes}\r\n`;
  message.buffer = Buffer.from(`${subject}${tail}${header}${payload}\r\n`, "latin1");
  message.subjectEnd = subject.length;
  message.tailStart = subject.length;
  message.replyStart = subject.length + 1;
  message.replyEnd = subject.length + 1 + (reply?.length ?? 0);
  message.bodyStart = subject.length + tail.length;
  message.sizesEnd = message.bodyStart - 2;
  message.sizesStart = message.sizesEnd - sizes.length;
  message.headerLength = header.length;
  message.bodyEnd = message.bodyStart + header.length + payload.length;
  return message;
}
