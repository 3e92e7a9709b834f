/**
 * HTTP steps: a request to the monitoring port and what its answer must be. Monitoring counts what the server has done
 * so far, so the request is repeated until the answer is as described or the deadline passes.
 */

import { deadlineIn } from '../support/deadline.ts';
import type { Address } from '../support/server-process.ts';
import { jsonMismatch, matchesText, parseJsonPattern, unescapeBytes, type Captures, type Json } from './pattern.ts';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The first thing in `answer` that the expectation lines do not describe; undefined when all is as described. */
function mismatchOf(answer: Answer, expectations: string, captures: Captures): string | undefined {
  const lines = expectations.split('\n').filter((line) => line.trim() !== '');
  for (let index = 0; index < lines.length; index++) {
    const line = (lines[index] ?? '').trim();
    if (/^\d{3}$/.test(line)) {
      if (answer.status !== Number(line)) return `status is ${answer.status}: ${answer.body.slice(0, 300)}`;
    } else if (line.startsWith('body ') || line === 'body') {
      const pattern = unescapeBytes(line.slice(5));
      if (!matchesText(pattern, answer.body, captures)) return `body is ${JSON.stringify(answer.body.slice(0, 600))}`;
    } else if (/^[{[]/.test(line)) {
      const pattern = parseJsonPattern(lines.slice(index).join('\n'));
      return jsonMismatch(pattern, JSON.parse(answer.body) as Json, 'body', captures);
    } else {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      const actual = answer.headers.get(name);
      const pattern = line.slice(colon + 1).trim();
      if (pattern === '<absent>' ? actual !== null : actual === null || !matchesText(pattern, actual, captures)) return `header ${name} is ${actual ?? 'absent'}`;
    }
  }
  return undefined;
}

/** Makes the request until its answer matches. Rejects with the last mismatch. */
export async function runHttpStep(
  method: string,
  path: string,
  expectations: string,
  address: Address | undefined,
  captures: Captures,
): Promise<void> {
  if (address === undefined) throw new Error('this server has no monitoring port');
  const end = deadlineIn(2000);
  for (;;) {
    const response = await fetch(`${address.scheme}://${address.host}:${address.port}${path}`, { method, tls: { rejectUnauthorized: false } });
    const answer: Answer = { status: response.status, headers: response.headers, body: await response.text() };
    let mismatch: string | undefined;
    try {
      mismatch = mismatchOf(answer, expectations, captures);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      mismatch = `${error.message} in ${answer.body.slice(0, 300)}`;
    }
    if (mismatch === undefined) return;
    if (performance.now() > end) throw new Error(mismatch);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
