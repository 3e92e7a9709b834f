/**
 * Header blocks: `NATS/1.0[ status]` CR LF, `Key: Value` lines, an empty line. They are forwarded unread; these functions are for the few headers the
 * server itself cares about. Keys are case-sensitive. Spec: client protocol, section 5.7.
 */

/** All headers in order of appearance, values trimmed of blanks in front. Empty when the block does not start with a version line without status. */
export function parseHeaders(block: string): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  const lines = block.split("\r\n");
  if (lines[0] !== "NATS/1.0") return headers;
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const key = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ +/, "");
    const known = headers.get(key);
    if (known === undefined) headers.set(key, [value]);
    else known.push(value);
  }
  return headers;
}

/** The block with every earlier occurrence of `key` removed and `key: value` put last. */
export function setHeader(block: string, key: string, value: string): string {
  // The usual block is whole, and the header new.
  if (block.endsWith("\r\n\r\n") && !block.includes(`\n${key}:`)) return `${block.slice(0, -2)}${key}: ${value}\r\n\r\n`;
  const lines = block.split("\r\n").filter((line) => line !== "" && !line.startsWith(`${key}:`));
  return `${lines.join("\r\n")}\r\n${key}: ${value}\r\n\r\n`;
}
