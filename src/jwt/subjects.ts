/** Subjects in claims, with the texts that tools know. */
import { goQuote } from "../util/quote.ts";
import type { Issues } from "./issues.ts";

/** False, with an issue, when it cannot be a subject. */
export function checkSubject(subject: string, issues: Issues): boolean {
  const problem = subjectProblem(subject);
  if (problem !== undefined) issues.error(problem);
  return problem === undefined;
}

/** Why it cannot be a subject. */
export function subjectProblem(subject: string): string | undefined {
  if (subject === "") return "subject cannot be empty";
  if (subject.includes(" ")) return `subject ${goQuote(subject)} cannot have spaces`;
  if (subject.startsWith(".") || subject.endsWith(".")) return `subject ${goQuote(subject)} cannot start or end with a \`.\``;
  return subject.includes("..") ? `subject ${goQuote(subject)} cannot contain consecutive \`.\`` : undefined;
}

/** Whether every subject that `inner` matches is matched by `outer`; both may have wildcards. */
export function covers(outer: string, inner: string): boolean {
  const [wide, narrow] = [outer.split("."), inner.split(".")];
  for (const [at, token] of wide.entries()) {
    if (token === ">") return narrow.length > at;
    if (at >= narrow.length || narrow[at] === ">") return false;
    if (token !== "*" && token !== narrow[at]) return false;
  }
  return wide.length === narrow.length;
}

/** `covers`, the other way round. */
export function isContained(inner: string, outer: string): boolean {
  return covers(outer, inner);
}
