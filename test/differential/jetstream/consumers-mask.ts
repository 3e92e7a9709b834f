/** What may differ between two servers that behave alike: moments, random names, versions. Each is replaced by a word, so that the rest is compared as text. */
import type { Frame } from "./consumers-client.ts";

/** Times that a session names itself are far away and stay; so does the zero time. */
const TIME = /\b(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;
/** Of a message, in ack subjects. */
const NANOSECONDS = /\b1[789]\d{17}\b/g;
const FLOW = /(\$JS\.FC\.[^.]+\.[^.]+\.(?:[^.]+\.[^.]+\.)?)[0-9A-Za-z]{4}\b/g;
/** In advisories and pins. */
const NUID = /\b[0-9A-Za-z]{22}\b/g;

/** Words for the random names of one server, in the order in which they were seen. */
export class Names {
  readonly #words = new Map<string, string>();
  readonly #generated = new Map<string, string>();
  /** The last pin that was seen. */
  pin = "";

  /** A name that the server chose for a consumer of the session. */
  learn(name: string, word: string): void {
    this.#generated.set(name, word);
  }

  masked(text: string): string {
    let result = text;
    for (const [name, word] of this.#generated) result = result.replaceAll(name, word);
    return result
      .replace(TIME, (all, year: string) => (Number(year) < 2015 || Number(year) > 2040 ? all : "<time>"))
      .replace(/("(?:ack_time|pause_remaining)":)-?\d+/g, "$1<num>")
      .replace(/("_nats\.ver":)"[^"]*"/g, "$1<ver>")
      .replace(/"id":"[0-9A-Za-z]{22}"/g, '"id":<id>')
      .replace(/(Nats-Stream-Identity: |identity does not match: )[0-9A-Za-z]{8}/g, "$1<identity>")
      // How far a consumer has looked before its first delivery depends on the reference's kind of store.
      .replace(/("delivered":\{"consumer_seq":0,"stream_seq":)\d+/g, "$1<num>")
      .replace(NANOSECONDS, "<ts>")
      // As it was when the message was delivered.
      .replace(/(Nats-Subject: \$JS\.ACK\.[^\r]*<ts>\.)\d+/g, "$1<pending>")
      .replace(FLOW, "$1<flow>")
      .replace(NUID, (id) => this.#word(id));
  }

  #word(id: string): string {
    const known = this.#words.get(id);
    if (known !== undefined) return known;
    const word = `<pin ${this.#words.size + 1}>`;
    this.#words.set(id, word);
    this.pin = id;
    return word;
  }

  /** A heartbeat as text; undefined for anything else. */
  heartbeat({ header }: Frame): string | undefined {
    return header.startsWith("NATS/1.0 100 Idle") ? this.masked(header) : undefined;
  }

  /** Requests about consumers, but for those that the player itself makes. */
  #audit(payload: string): string | undefined {
    const { subject, request, response } = JSON.parse(payload) as { readonly subject: string; readonly request?: string; readonly response: string };
    if (!subject.startsWith("$JS.API.CONSUMER.") || subject.startsWith("$JS.API.CONSUMER.LIST.")) return undefined;
    return `${this.masked(subject)} ${this.masked(request ?? "(no request)")} ${this.masked(response)}`;
  }

  /** A frame as text; undefined for those that come at any time. */
  frame({ subject, reply, header, payload }: Frame): string | undefined {
    if (header.startsWith("NATS/1.0 100 Idle")) return undefined;
    if (subject === "$JS.EVENT.ADVISORY.API") return this.#audit(payload);
    const to = reply === "" ? "" : ` reply ${this.masked(reply)}`;
    const body = payload.length > 2000 && !payload.startsWith("{") ? `${payload.length} bytes` : this.masked(payload);
    return `${this.masked(subject)}${to}${header === "" ? "" : ` ${JSON.stringify(this.masked(header))}`} ${body}`;
  }
}
