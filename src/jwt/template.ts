/** Templates in the permissions of scoped signing keys: `{{name()}}` and its kind become what a user's token says. Spec: accounts and authentication, section 7.6. */
import { goQuote } from "../util/quote.ts";
import type { AccountClaims } from "./account.ts";
import { JwtError } from "./error.ts";
import { subjectProblem } from "./subjects.ts";
import type { PermissionClaims, SubjectList, UserClaims } from "./user.ts";

/** Subjects that one list may become. */
const EXPANSION_MAX = 4096;
const PLACEHOLDER = /\{\{.+?\}\}/g;
const CALL = /^([a-z-]+)\((.*)\)$/i;

/** The permissions of `user` under the template `scope` of its signing key. Throws `JwtError` when they cannot be made. */
export function applyTemplate<T extends PermissionClaims>(scope: T, user: UserClaims, account: AccountClaims): T {
  const valuesOf = (operation: string): readonly string[] => values(operation, user, account);
  return { ...scope, publish: expandBoth(scope.publish, valuesOf), subscribe: expandBoth(scope.subscribe, valuesOf) };
}

function expandBoth({ allow, deny }: SubjectList, valuesOf: (operation: string) => readonly string[]): SubjectList {
  const allowed = expand(allow, "allow", valuesOf);
  const denied = expand(deny, "deny", valuesOf);
  // Nothing left to allow must not come to mean that everything is.
  return { allow: allowed, deny: allow.length > 0 && allowed.length === 0 ? [...denied, ">"] : denied };
}

function expand(list: readonly string[], which: "allow" | "deny", valuesOf: (operation: string) => readonly string[]): readonly string[] {
  if (!list.some((entry) => entry.match(PLACEHOLDER) !== null)) return list;
  const expanded: string[] = [];
  for (const entry of list) {
    for (const subject of expandEntry(entry, which, valuesOf, EXPANSION_MAX - expanded.length)) {
      const problem = subjectProblem(subject);
      if (problem === undefined) expanded.push(subject);
      else if (which === "deny") throw new JwtError("generated invalid subject");
    }
  }
  return expanded;
}

function expandEntry(entry: string, which: "allow" | "deny", valuesOf: (operation: string) => readonly string[], room: number): readonly string[] {
  const placeholders: readonly string[] = entry.match(PLACEHOLDER) ?? [];
  let choices: readonly (readonly string[])[] = [[]];
  for (const placeholder of placeholders) {
    const operation = placeholder.slice(2, -2).trim();
    const found = valuesOf(operation);
    if (found.length === 0) {
      if (which === "deny") throw new JwtError(`generated invalid subject ${goQuote(entry)}: ${goQuote(operation)} is not defined`);
      return [];
    }
    if (choices.length * found.length > room) throw new JwtError(`template expansion exceeds limit: ${EXPANSION_MAX}`);
    choices = choices.flatMap((chosen) => found.map((value) => [...chosen, value]));
  }
  if (choices.length > room) throw new JwtError(`template expansion exceeds limit: ${EXPANSION_MAX}`);
  // One placeholder written twice has one value, though it counts twice.
  return choices.map((chosen) => entry.replace(PLACEHOLDER, (placeholder) => chosen[placeholders.indexOf(placeholder)] ?? ""));
}

function values(operation: string, user: UserClaims, account: AccountClaims): readonly string[] {
  const call = CALL.exec(operation);
  const unknown = (): JwtError => new JwtError(`template operation in ${goQuote(`{{${operation}}}`)}: ${goQuote(operation)} is not defined`);
  if (call === null) throw unknown();
  const [, written, argument] = call;
  const name = written.toLowerCase();
  if (argument !== "" && !name.endsWith("tag")) throw unknown();
  switch (name) {
    case "name":
      return one(user.name);
    case "subject":
      return one(user.sub);
    case "account-name":
      return one(account.name);
    case "account-subject":
      return one(user.issuerAccount);
    case "tag":
      return tagged(user.tags, argument);
    case "account-tag":
      return tagged(account.tags, argument);
    default:
      throw unknown();
  }
}

function one(value: string): readonly string[] {
  return value === "" ? [] : [value];
}

function tagged(tags: readonly string[], key: string): readonly string[] {
  const prefix = `${key.toLowerCase()}:`;
  return tags.filter((tag) => tag.startsWith(prefix)).map((tag) => tag.slice(prefix.length));
}
