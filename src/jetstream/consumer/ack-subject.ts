/**
 * Where deliveries are acknowledged, `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<delivery seq>.<time>.<pending>`, and where flow control is
 * answered; with `js_ack_fc_v2` domain and account stand in front. Both forms are understood whatever is sent. Spec: consumers, section 7.2.
 */
import { shortHash } from "../../util/shorthash.ts";
import { fromByteString, toByteString } from "../../util/bytes.ts";
import type { AssetAccount } from "../seams.ts";
import type { StoredMessage } from "../store/index.ts";

export class AckSubjects {
  /** With the dot after the last name: `$JS.FC.S.C.`. */
  readonly flowPrefix: string;
  readonly #prefix: string;

  constructor(account: AssetAccount, stream: string, consumer: string) {
    const { settings } = account.context;
    const owner = settings.ackSubjectsV2 ? `${domainToken(settings.domain)}.${shortHash(account.name)}.` : "";
    const names = toByteString(`${owner}${stream}.${consumer}.`);
    this.#prefix = `$JS.ACK.${names}`;
    this.flowPrefix = `$JS.FC.${names}`;
  }

  /** Byte string. Whole numbers all; the time is put together from its parts, since nanoseconds do not fit a number. */
  of(message: StoredMessage, deliveries: number, delivery: number, pending: number): string {
    return `${this.#prefix}${deliveries}.${message.seq}.${delivery}.${message.seconds}${nineDigits(message.nanos)}.${pending}`;
  }

  /** The numbers of a subject that `of` made; undefined for any other. Quick: nothing is allocated. */
  read(subject: string): Address | undefined {
    if (!subject.startsWith(this.#prefix)) return undefined;
    let at = this.#prefix.length;
    let token = 0;
    let value = 0;
    for (; at < subject.length; at++) {
      const digit = subject.charCodeAt(at) - 48;
      if (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        continue;
      }
      if (digit !== DOT_AS_DIGIT) return undefined;
      if (token === 0) address.deliveries = value;
      else if (token === 1) address.seq = value;
      else if (token === 2) address.delivery = value;
      token++;
      value = 0;
    }
    return token === NUMBERS - 1 ? address : undefined;
  }
}

/** Character code of a dot, less that of a zero. */
const DOT_AS_DIGIT = 46 - 48;
/** Tokens after the names. */
const NUMBERS = 5;

function domainToken(domain: string): string {
  return domain === "" ? "_" : domain;
}

function nineDigits(nanos: number): string {
  const text = String(nanos);
  return text.length === 9 ? text : ZEROS.slice(text.length) + text;
}

const ZEROS = "000000000";

/** Of which delivery an acknowledgement is. */
export interface Address {
  deliveries: number;
  seq: number;
  delivery: number;
}

/** What an ack or flow control subject says. */
export interface NamedAddress extends Address {
  /** Text. */
  stream: string;
  consumer: string;
}

/** Reused for each acknowledgement: valid until the next one is read. */
const address: NamedAddress = { stream: "", consumer: "", deliveries: 0, seq: 0, delivery: 0 };

const ACK_TOKENS = 9;
const ACK_V2_TOKENS = 11;
const FLOW_TOKENS = 5;
const FLOW_V2_TOKENS = 7;

/** Reads an ack subject; undefined when it is none, or of another account. Numbers that cannot be read are 0. */
export function readAckSubject(account: AssetAccount, subject: string): NamedAddress | undefined {
  const tokens = subject.split(".");
  let at = 2;
  if (tokens.length !== ACK_TOKENS) {
    if (tokens.length < ACK_V2_TOKENS || !isOfAccount(account, tokens)) return undefined;
    at = 4;
  }
  address.stream = fromByteString(tokens[at]);
  address.consumer = fromByteString(tokens[at + 1]);
  address.deliveries = wholeNumber(tokens[at + 2]);
  address.seq = wholeNumber(tokens[at + 3]);
  address.delivery = wholeNumber(tokens[at + 4]);
  return address;
}

/** Reads a flow control subject; only the names of the result mean something. */
export function readFlowSubject(account: AssetAccount, subject: string): NamedAddress | undefined {
  const tokens = subject.split(".");
  let at = 2;
  if (tokens.length !== FLOW_TOKENS) {
    if (tokens.length !== FLOW_V2_TOKENS || !isOfAccount(account, tokens)) return undefined;
    at = 4;
  }
  address.stream = fromByteString(tokens[at]);
  address.consumer = fromByteString(tokens[at + 1]);
  return address;
}

function isOfAccount(account: AssetAccount, tokens: readonly string[]): boolean {
  return tokens[2] === toByteString(domainToken(account.context.settings.domain)) && tokens[3] === shortHash(account.name);
}

/** 0 for anything but decimal digits. */
function wholeNumber(token: string): number {
  let value = 0;
  for (let i = 0; i < token.length; i++) {
    const digit = token.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return 0;
    value = value * 10 + digit;
  }
  return value;
}
