/** Delivery at the pace at which messages were stored, up to the end of the stream as of the start. Spec: consumers, section 5. */
import type { Clock } from "../../platform/index.ts";
import type { StoredMessage } from "../store/index.ts";
import { Alarm } from "./alarm.ts";

/** Shorter distances are not worth a wait. */
const SHORTEST_MS = 1;

export class ReplayPace {
  readonly #alarm: Alarm;
  /** When the message before was stored; negative: there was none. */
  #previousMs = -1;
  /** The message that waits, and until when. */
  #waitsFor = 0;
  #dueMs = 0;

  constructor(
    clock: Clock,
    /** Messages after this one are delivered at once. */
    private readonly lastSeq: number,
    due: () => void,
  ) {
    this.#alarm = new Alarm(clock, due);
  }

  /** Whether its moment has come; if not, `due` will be called. */
  mayDeliver(message: StoredMessage, nowMs: number): boolean {
    if (message.seq > this.lastSeq || this.#previousMs < 0) return true;
    if (this.#waitsFor !== message.seq) {
      const distanceMs = storedAtMs(message) - this.#previousMs;
      if (distanceMs <= SHORTEST_MS) return true;
      this.#waitsFor = message.seq;
      this.#dueMs = nowMs + distanceMs;
    }
    if (nowMs >= this.#dueMs) return true;
    this.#alarm.set(this.#dueMs);
    return false;
  }

  delivered(message: StoredMessage): void {
    this.#previousMs = storedAtMs(message);
  }

  stop(): void {
    this.#alarm.cancel();
  }
}

function storedAtMs({ seconds, nanos }: StoredMessage): number {
  return seconds * 1000 + nanos / 1e6;
}
