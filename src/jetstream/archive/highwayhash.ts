/**
 * HighwayHash-64, the checksum inside archives of version 1. Written from the published description of the algorithm (Alakuijala, Cox, Wassenberg: "Fast keyed
 * hash/pseudo-random function using SIMD multiply and permute"). 64-bit lanes are pairs of 32-bit words, low word first: `bigint` would be a hundred times slower.
 */

const INIT0 = [0xfe4cce2f, 0xdbe6d5d5, 0x299f31d0, 0xa4093822, 0x03707344, 0x13198a2e, 0x85a308d3, 0x243f6a88];
const INIT1 = [0xcb0ef593, 0x3bd39e10, 0xb5f18a8c, 0xc0acf169, 0x34e90c6c, 0xbe5466cf, 0x38d01377, 0x452821e6];

const PACKET_BYTES = 32;

const v0 = new Uint32Array(8);
const v1 = new Uint32Array(8);
const mul0 = new Uint32Array(8);
const mul1 = new Uint32Array(8);
const lanes = new Uint32Array(8);
const packet = new Uint8Array(PACKET_BYTES);

/** The hash of `bytes[start, end)` under a key of 32 bytes: eight bytes, little endian. */
export function highwayHash64(key: Uint8Array, bytes: Uint8Array, start = 0, end = bytes.length): Buffer {
  if (key.length !== PACKET_BYTES) throw new RangeError("a key has 32 bytes");
  reset(key);
  let at = start;
  for (; end - at >= PACKET_BYTES; at += PACKET_BYTES) {
    load(bytes, at);
    update();
  }
  if (at < end) remainder(bytes, at, end - at);
  for (let round = 0; round < 4; round++) {
    // Pairs of lanes change places, and the halves within each.
    for (let i = 0; i < 4; i++) {
      const from = ((i + 2) % 4) * 2;
      lanes[2 * i] = v0[from + 1];
      lanes[2 * i + 1] = v0[from];
    }
    update();
  }
  const low = v0[0] + v1[0] + mul0[0] + mul1[0];
  const carry = Math.floor(low / 0x1_0000_0000);
  const high = v0[1] + v1[1] + mul0[1] + mul1[1] + carry;
  const out = Buffer.allocUnsafe(8);
  out.writeUInt32LE(low >>> 0, 0);
  out.writeUInt32LE(high >>> 0, 4);
  return out;
}

function reset(key: Uint8Array): void {
  load(key, 0);
  for (let i = 0; i < 8; i++) {
    mul0[i] = INIT0[i];
    mul1[i] = INIT1[i];
    v0[i] = INIT0[i] ^ lanes[i];
    v1[i] = INIT1[i] ^ lanes[i ^ 1];
  }
}

function load(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 8; i++, at += 4) lanes[i] = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function update(): void {
  for (let i = 0; i < 8; i += 2) {
    add(v1, i, mul0[i], mul0[i + 1]);
    add(v1, i, lanes[i], lanes[i + 1]);
    xorProduct(mul0, i, v1[i], v0[i + 1]);
    add(v0, i, mul1[i], mul1[i + 1]);
    xorProduct(mul1, i, v0[i], v1[i + 1]);
  }
  zipper(v1, 0, v0);
  zipper(v1, 4, v0);
  zipper(v0, 0, v1);
  zipper(v0, 4, v1);
}

/** Adds the 64-bit value to the lane whose low word is at `i`; the words may come as signed ones. */
function add(words: Uint32Array, i: number, low: number, high: number): void {
  const sum = words[i] + (low >>> 0);
  words[i] = sum;
  words[i + 1] = words[i + 1] + high + (sum > 0xffff_ffff ? 1 : 0);
}

/** Xors the 64-bit product of two 32-bit words into a lane. */
function xorProduct(words: Uint32Array, i: number, a: number, b: number): void {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const ll = al * bl;
  const lh = al * bh;
  const hl = ah * bl;
  const middle = (ll >>> 16) + (lh & 0xffff) + (hl & 0xffff);
  words[i] ^= (ll & 0xffff) | (middle << 16);
  words[i + 1] ^= ah * bh + (lh >>> 16) + (hl >>> 16) + (middle >>> 16);
}

/** Shuffles the bytes of two lanes of `from`, beginning with the word at `i`, and adds them to the same lanes of `to`. */
function zipper(from: Uint32Array, i: number, to: Uint32Array): void {
  const al = from[i];
  const ah = from[i + 1];
  const bl = from[i + 2];
  const bh = from[i + 3];
  // Bytes of the first result, lowest first: a3 b4 a2 a5 b6 a1 b7 a0.
  add(to, i, (al >>> 24) | ((bh & 0xff) << 8) | (al & 0xff0000) | ((ah & 0xff00) << 16), ((bh >>> 16) & 0xff) | (al & 0xff00) | ((bh >>> 24) << 16) | (al << 24));
  // Of the second: b3 a4 b2 b5 b1 a6 b0 a7.
  add(to, i + 2, (bl >>> 24) | ((ah & 0xff) << 8) | (bl & 0xff0000) | ((bh & 0xff00) << 16), ((bl >>> 8) & 0xff) | ((ah >>> 8) & 0xff00) | ((bl & 0xff) << 16) | (ah & 0xff000000));
}

function remainder(bytes: Uint8Array, start: number, size: number): void {
  for (let i = 0; i < 8; i += 2) add(v0, i, size, size);
  for (let i = 0; i < 8; i++) v1[i] = (v1[i] << size) | (v1[i] >>> (32 - size));
  packet.fill(0);
  const whole = size & ~3;
  const odd = size & 3;
  for (let i = 0; i < whole; i++) packet[i] = bytes[start + i];
  const rest = start + whole;
  if ((size & 16) !== 0) for (let i = 0; i < 4; i++) packet[28 + i] = bytes[rest + i + odd - 4];
  else if (odd !== 0) {
    packet[16] = bytes[rest];
    packet[17] = bytes[rest + (odd >> 1)];
    packet[18] = bytes[rest + odd - 1];
  }
  load(packet, 0);
  update();
}
