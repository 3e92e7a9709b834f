/**
 * Whether subjects, queue names and mapping destinations in a configuration are well formed. What a subject is and what a destination may be is decided in
 * `routing/`; this is the view of it that configuration needs: text in, a verdict out.
 */
import { hasWildcard, isValidConfiguredSubject, SubjectTransform, TransformError } from "../routing/index.ts";

/** A subject, wildcards allowed: no empty token, no white space, `>` only at the end. */
export const isSubject = isValidConfiguredSubject;

/** A subject without wildcard tokens. */
export function isLiteralSubject(subject: string): boolean {
  return isSubject(subject) && !hasWildcard(subject);
}

/** A queue name of a permission: like a subject, except that `>` may stand anywhere. */
export function isQueueName(queue: string): boolean {
  return queue !== "" && !/[ \t\n\r\f]/.test(queue) && queue.split(".").every((token) => token !== "");
}

/** What is wrong with the destination of a mapping of `source`; undefined when nothing is. */
export function mappingProblem(source: string, destination: string): string | undefined {
  try {
    SubjectTransform.compile(source, destination);
    return undefined;
  } catch (error) {
    if (error instanceof TransformError) return error.message;
    throw error;
  }
}
