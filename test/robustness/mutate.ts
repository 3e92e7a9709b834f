/** Broken input from a seed: random bytes, and valid input with bytes changed, removed, repeated and cut. */
import { SeededRandom } from "../sim/random.ts";

const INTERESTING = [0, 9, 10, 13, 32, 0x22, 0x7b, 0x7d, 0x7f, 0x80, 0xff];

export function randomBytes(random: SeededRandom, length: number): Buffer {
  return Buffer.from(random.bytes(length));
}

export function mutate(random: SeededRandom, valid: Buffer): Buffer {
  let bytes = Buffer.from(valid);
  for (let changes = 1 + random.integer(5); changes > 0; changes--) {
    const at = random.integer(bytes.length + 1);
    const count = 1 + random.integer(random.chance(0.2) ? 400 : 6);
    switch (random.integer(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = random.integer(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random.pick(INTERESTING);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + count), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), randomBytes(random, count), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.from(bytes.toString("latin1").replace(/\d+/, () => String(random.pick([0, -1, 1e9, 2 ** 31, 2 ** 53, 1e30]))), "latin1");
    }
  }
  return bytes;
}
