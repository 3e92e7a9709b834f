/**
 * Questions about a subject alone: is it valid, has it wildcards, does one pattern cover or meet another. Subjects are byte strings (`util/bytes.ts`).
 * A wildcard is a token that is exactly `*` or `>`; `fo*` is an ordinary literal token. Spec: client protocol, section 11.
 */

const DOT = 46;
const STAR = 42;
const GREATER = 62;

/** Whether `subject` can be subscribed to: no empty token, and nothing after a `>` token. */
export function isValidSubject(subject: string): boolean {
  const length = subject.length;
  if (length === 0) return false;
  let tokenStart = 0;
  for (let i = 0; i <= length; i++) {
    if (i < length && subject.charCodeAt(i) !== DOT) continue;
    if (i === tokenStart) return false;
    if (i < length && i - tokenStart === 1 && subject.charCodeAt(tokenStart) === GREATER) return false;
    tokenStart = i + 1;
  }
  return true;
}

/** As `isValidSubject`, and no blank inside a token: the rule for subjects that come from configuration or an API. */
export function isValidConfiguredSubject(subject: string): boolean {
  return isValidSubject(subject) && !/[ \t\n\r\f]/.test(subject);
}

/** Whether no token is empty: only such a published subject can match anything. */
export function hasNoEmptyToken(subject: string): boolean {
  const length = subject.length;
  if (length === 0 || subject.charCodeAt(0) === DOT || subject.charCodeAt(length - 1) === DOT) return false;
  return !subject.includes("..");
}

/** Whether some token is exactly `*` or `>`. */
export function hasWildcard(subject: string): boolean {
  const length = subject.length;
  for (let i = 0; i < length; i++) {
    const code = subject.charCodeAt(i);
    if (code !== STAR && code !== GREATER) continue;
    const startsToken = i === 0 || subject.charCodeAt(i - 1) === DOT;
    const endsToken = i + 1 === length || subject.charCodeAt(i + 1) === DOT;
    if (startsToken && endsToken) return true;
  }
  return false;
}

/** Whether `subject` is valid and literal: what a pedantic client may publish to. */
export function isValidLiteralSubject(subject: string): boolean {
  return hasNoEmptyToken(subject) && !hasWildcard(subject);
}

/** Whether a literal `subject` is matched by `pattern`. Wildcard tokens in `subject` count as plain text. */
export function subjectMatches(subject: string, pattern: string): boolean {
  return walk(subject, pattern, matchesToken);
}

/** Whether every literal that `inner` matches is matched by `outer` too. */
export function isSubsetOf(inner: string, outer: string): boolean {
  return walk(inner, outer, coversToken);
}

/** Number of tokens (dots plus one). */
export function tokenCount(subject: string): number {
  let count = 1;
  for (let i = 0; i < subject.length; i++) if (subject.charCodeAt(i) === DOT) count++;
  return count;
}

/** Whether some literal subject is matched by both patterns. */
export function subjectsOverlap(a: string, b: string): boolean {
  const left = a.split(".");
  const right = b.split(".");
  const common = Math.min(left.length, right.length);
  for (let i = 0; i < common; i++) {
    const l = left[i];
    const r = right[i];
    if (l === ">" || r === ">") return true;
    if (l !== r && l !== "*" && r !== "*") return false;
  }
  return left.length === right.length;
}

/** The pattern of what both patterns match; undefined when that is nothing. */
export function intersectionOf(a: string, b: string): string | undefined {
  const left = a.split(".");
  const right = b.split(".");
  const tokens: string[] = [];
  for (let i = 0; i < left.length || i < right.length; i++) {
    const l = left[i];
    const r = right[i];
    if (l === undefined || r === undefined) return undefined;
    if (l === ">") return [...tokens, ...right.slice(i)].join(".");
    if (r === ">") return [...tokens, ...left.slice(i)].join(".");
    if (l !== r && l !== "*" && r !== "*") return undefined;
    tokens.push(l === "*" ? r : l);
  }
  return tokens.join(".");
}

function matchesToken(token: string, patternToken: string): boolean {
  return patternToken === "*" || patternToken === token;
}

function coversToken(token: string, patternToken: string): boolean {
  if (patternToken === "*") return token !== ">";
  return patternToken === token;
}

/** Walks both by tokens; `>` at the end of `pattern` takes one or more of the remaining tokens. */
function walk(subject: string, pattern: string, fits: (token: string, patternToken: string) => boolean): boolean {
  const tokens = subject.split(".");
  const patternTokens = pattern.split(".");
  for (let i = 0; i < patternTokens.length; i++) {
    if (i >= tokens.length) return false;
    if (patternTokens[i] === ">" && i === patternTokens.length - 1) return true;
    if (!fits(tokens[i], patternTokens[i])) return false;
  }
  return tokens.length === patternTokens.length;
}
