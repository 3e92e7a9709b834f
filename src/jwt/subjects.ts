/** Subjects in claims, with the texts that tools know. */
import { goQuote } from "../util/quote.ts";
import type { Issues } from "./issues.ts";

/** False, with an issue, when it cannot be a subject. */
export function checkSubject(subject: string, issues: Issues): boolean {
  const problem = subjectProblem(subject);
  if (problem !== undefined) issues.error(problem);
  return problem === undefined;
}

function subjectProblem(subject: string): string | undefined {
  if (subject === "") return "subject cannot be empty";
  if (subject.includes(" ")) return `subject ${goQuote(subject)} cannot have spaces`;
  if (subject.startsWith(".") || subject.endsWith(".")) return `subject ${goQuote(subject)} cannot start or end with a \`.\``;
  return subject.includes("..") ? `subject ${goQuote(subject)} cannot contain consecutive \`.\`` : undefined;
}
