/** The name a TLS client asks for, read from its first message, to choose among several certificates. RFC 8446, section 4.1.2; RFC 6066, section 3. */

/** What the bytes tell: `undefined` while more are needed; empty when no name is asked for or the message is not one we can read. */
export function requestedServerName(bytes: Buffer): string | undefined {
  if (bytes.length < 5) return undefined;
  const recordEnd = 5 + bytes.readUInt16BE(3);
  if (bytes[0] !== HANDSHAKE_RECORD) return "";
  if (bytes.length < recordEnd) return undefined;
  return nameInHello(bytes.subarray(5, recordEnd));
}

const HANDSHAKE_RECORD = 0x16;
/** A record is at most so long with its header. */
export const CLIENT_HELLO_BYTES_MAX = 5 + 16_384 + 256;
const SERVER_NAME_EXTENSION = 0;

/** `hello` is a ClientHello that fits one record; one that does not is served the first certificate. */
function nameInHello(hello: Buffer): string {
  // type, length, version, random; then three fields with their lengths
  let at = 38;
  if (at >= hello.length) return "";
  at += 1 + hello[at];
  if (at + 2 > hello.length) return "";
  at += 2 + hello.readUInt16BE(at);
  if (at >= hello.length) return "";
  at += 1 + hello[at];
  if (at + 2 > hello.length) return "";
  const end = Math.min(hello.length, at + 2 + hello.readUInt16BE(at));
  at += 2;
  while (at + 4 <= end) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    at += 4;
    if (type === SERVER_NAME_EXTENSION && at + 5 <= end) {
      const nameLength = hello.readUInt16BE(at + 3);
      return at + 5 + nameLength <= end ? hello.toString("latin1", at + 5, at + 5 + nameLength).toLowerCase() : "";
    }
    at += length;
  }
  return "";
}
