/**
 * A matched message to its takers: every plain subscription, and per queue group one member, drawn evenly; when that member cannot take it, the next in
 * the circle is tried.
 */
import type { MatchResult } from "./interest.ts";
import type { Message } from "./message.ts";
import { Delivery, type SeenSubject, type Subscriber } from "./subscription.ts";

/** xorshift32: fast, and good enough to spread load evenly. Seeded once per process by `seedDistribution`. */
let state = 0x9e3779b9;

export function seedDistribution(seed: number): void {
  state = seed | 1;
}

function draw(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

/** Delivers to all takers; returns how many took it. `origin` is the publisher (undefined: the server). */
export function distribute(result: MatchResult, message: Message, seen: SeenSubject, origin: Subscriber | undefined): number {
  let taken = 0;
  const plain = result.plain;
  for (let i = 0; i < plain.length; i++) {
    const subscription = plain[i];
    if (subscription.owner.deliver(subscription, message, seen, origin) === Delivery.Delivered) taken++;
  }
  const queues = result.queues;
  for (let q = 0; q < queues.length; q++) {
    const members = queues[q];
    const count = members.length;
    const first = count === 1 ? 0 : draw(count);
    for (let i = 0; i < count; i++) {
      const member = members[first + i < count ? first + i : first + i - count];
      if (member.owner.deliver(member, message, seen, origin) === Delivery.Delivered) {
        taken++;
        break;
      }
    }
  }
  return taken;
}
