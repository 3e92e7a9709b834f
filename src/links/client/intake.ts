/**
 * What one turn takes of one connection's input. A read can bring half a megabyte, tens of thousands of small messages, each with many receivers; nobody
 * else is served meanwhile. So the parser stops after so many operations (`OPERATIONS_PER_TURN`), or when the turn has taken long, and the rest of the read
 * waits in line for the next turns (`Turn.addInput`); the socket is not read meanwhile, so what waits is at most what a read brought. Throughput does not
 * suffer (measured: within noise).
 */
import type { Parser } from "../../protocol/index.ts";
import type { WaitingInput } from "../turn.ts";
import type { ClientLink } from "./client.ts";

export class Intake implements WaitingInput {
  #isInLine = false;

  constructor(
    private readonly link: ClientLink,
    private readonly parser: Parser,
    /** Parses what waits. */
    private readonly parse: () => void,
  ) {}

  /** After some input was parsed, or when what the link waited for is over: goes on with the rest in the next turn, or with reading. */
  settle(isReading: boolean): void {
    if (this.link.isClosed) return;
    if (this.parser.hasWaiting) {
      if (isReading) this.link.pauseReading();
      if (this.#isInLine || this.link.isWaiting) return;
      this.#isInLine = true;
      this.link.host.turn.addInput(this);
    } else if (!isReading && !this.link.isWaiting) this.link.readAgain();
  }

  /** The peer has gone: what it sent before still counts. */
  finish(): void {
    while (this.parser.hasWaiting && !this.parser.suspended && !this.link.isClosed) this.parse();
  }

  proceed(): void {
    this.#isInLine = false;
    if (this.link.isClosed || this.link.isWaiting) return;
    this.parse();
    this.settle(false);
  }
}
