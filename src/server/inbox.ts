/** Where this server wants its answers: subjects of its own, one for each question, since several may be under way. */
import { randomDigits } from "../util/nuid.ts";
import { shortHash } from "../util/shorthash.ts";
import type { Server } from "./server.ts";

/** 62^8 inboxes: none is used twice while it is in use. */
const DIGITS = 8;

/** All of them begin so: what the server asks itself it does not answer. */
export function inboxPrefix(server: Server): string {
  return `$SYS._INBOX.${shortHash(server.identity.name)}.`;
}

/** An inbox that nobody else uses. */
export function newInbox(server: Server): string {
  return inboxPrefix(server) + randomDigits(DIGITS, (below) => server.random.integer(below));
}
