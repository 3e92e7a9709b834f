/**
 * What a TLS client asks for, read from its first message: the name, to choose among several certificates, and versions and suites, to say in the log why
 * nothing in common was found. RFC 8446, section 4.1.2; RFC 6066, section 3.
 */

export interface ClientHello {
  /** Lower case; empty when no name is asked for. */
  readonly serverName: string;
  /** Protocol versions that the client offers, as numbers of the wire (0x0303 is TLS 1.2). */
  readonly versions: readonly number[];
  readonly cipherSuites: readonly number[];
}

/** Bytes of a TLS record's header: type, version, length. */
export const RECORD_HEADER_BYTES = 5;
/** A record is at most so long with its header. */
export const RECORD_BYTES_MAX = RECORD_HEADER_BYTES + 16_384 + 256;
const HANDSHAKE_RECORD = 0x16;
const SERVER_NAME_EXTENSION = 0;
const SUPPORTED_VERSIONS_EXTENSION = 43;
const VERSIONS = [0x0304, 0x0303, 0x0302, 0x0301];
const NOTHING_KNOWN: ClientHello = { serverName: "", versions: [], cipherSuites: [] };

/** Whether the first byte of a connection can begin TLS. */
export function beginsTls(bytes: Buffer): boolean {
  return bytes[0] === HANDSHAKE_RECORD;
}

/**
 * The message in the first record; undefined while that is not complete. A message that cannot be read, or that is longer than one record, tells nothing:
 * then the first certificate is served.
 */
export function parseClientHello(bytes: Buffer): ClientHello | undefined {
  if (bytes.length < RECORD_HEADER_BYTES) return undefined;
  const recordEnd = RECORD_HEADER_BYTES + bytes.readUInt16BE(3);
  if (!beginsTls(bytes) || recordEnd > RECORD_BYTES_MAX) return NOTHING_KNOWN;
  if (bytes.length < recordEnd) return undefined;
  try {
    return readHello(new Fields(bytes.subarray(RECORD_HEADER_BYTES, recordEnd)));
  } catch (error) {
    if (error instanceof RangeError) return NOTHING_KNOWN;
    throw error;
  }
}

/** Reads in order; a field that goes beyond the end is a `RangeError`. */
class Fields {
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at >= this.bytes.length;
  }

  take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.bytes.length) throw new RangeError("field goes beyond the message");
    const field = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return field;
  }

  uint8(): number {
    return this.take(1)[0];
  }

  uint16(): number {
    return this.take(2).readUInt16BE(0);
  }

  uint16s(length: number): number[] {
    const field = this.take(length);
    return Array.from({ length: length >> 1 }, (_, i) => field.readUInt16BE(i * 2));
  }
}

function readHello(hello: Fields): ClientHello {
  hello.take(4);
  const legacyVersion = hello.uint16();
  hello.take(32);
  hello.take(hello.uint8());
  const cipherSuites = hello.uint16s(hello.uint16());
  hello.take(hello.uint8());
  let serverName = "";
  let versions: readonly number[] = VERSIONS.filter((version) => version <= legacyVersion);
  if (hello.isAtEnd) return { serverName, versions, cipherSuites };
  const extensions = new Fields(hello.take(hello.uint16()));
  while (!extensions.isAtEnd) {
    const type = extensions.uint16();
    const content = new Fields(extensions.take(extensions.uint16()));
    if (type === SERVER_NAME_EXTENSION) {
      content.take(3);
      serverName = content.take(content.uint16()).toString("latin1").toLowerCase();
    } else if (type === SUPPORTED_VERSIONS_EXTENSION) versions = content.uint16s(content.uint8());
  }
  return { serverName, versions, cipherSuites };
}
