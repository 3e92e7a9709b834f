/**
 * What one turn takes of one connection's input. A read can bring half a megabyte, tens of thousands of small messages, each with many receivers; nobody
 * else is served meanwhile. So the parser stops after so many operations (`OPERATIONS_PER_TURN`), and the rest of the read waits for the next turns, in
 * order; the socket is not read meanwhile, so what waits is at most what a read brought. Throughput does not suffer (measured: within noise).
 */
import type { Parser } from "../../protocol/index.ts";
import type { ClientLink } from "./client.ts";

export class Intake {
  #scheduled = false;

  constructor(
    private readonly link: ClientLink,
    private readonly parser: Parser,
    /** Parses what waits. */
    private readonly proceed: () => void,
  ) {}

  /** After some input was parsed, or when what the link waited for is over: goes on with the rest in the next turn, or with reading. */
  settle(isReading: boolean): void {
    if (this.link.isClosed) return;
    if (this.parser.hasWaiting) {
      if (isReading) this.link.pauseReading();
      if (this.#scheduled || this.link.isWaiting) return;
      this.#scheduled = true;
      this.link.host.clock.endOfTurn(this.#step);
    } else if (!isReading && !this.link.isWaiting) this.link.readAgain();
  }

  /** The peer has gone: what it sent before still counts. */
  finish(): void {
    while (this.parser.hasWaiting && !this.parser.suspended && !this.link.isClosed) this.proceed();
  }

  readonly #step = (): void => {
    this.#scheduled = false;
    if (this.link.isClosed || this.link.isWaiting) return;
    this.proceed();
    this.settle(false);
  };
}
