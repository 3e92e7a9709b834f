/** The transcript language itself: what matches, what is refused, and that a transcript can fail. */

import { describe, expect, test } from 'bun:test';
import { expandMacros } from './macros.ts';
import { parse, TranscriptSyntaxError } from './parse.ts';
import { jsonMismatch, matchesText, parseJsonPattern, unescapeBytes, type Captures } from './pattern.ts';

const none: Captures = new Map();

describe('text patterns', () => {
  test('are literal apart from placeholders', () => {
    expect(matchesText('MSG a.* 1 [x]', 'MSG a.* 1 [x]', none)).toBe(true);
    expect(matchesText('MSG a.* 1', 'MSG a.b 1', none)).toBe(false);
    expect(matchesText('<<- [PING]', '<<- [PING]', none)).toBe(true);
  });

  test('match the whole text', () => {
    expect(matchesText('PONG', 'PONG ', none)).toBe(false);
    expect(matchesText('PONG', 'xPONG', none)).toBe(false);
  });

  test('placeholders match their kind and capture under a name', () => {
    const captures: Captures = new Map();
    expect(matchesText('cid:<num:cid> - <any>', 'cid:42 - bye', captures)).toBe(true);
    expect(captures.get('cid')).toBe('42');
    expect(matchesText('cid:<num>', 'cid:x', none)).toBe(false);
    expect(matchesText('<re:[ab]+>!', 'abba!', none)).toBe(true);
    expect(matchesText('<re:[ab]+>!', 'abc!', none)).toBe(false);
  });
});

describe('JSON patterns', () => {
  const mismatch = (pattern: string, actual: Parameters<typeof jsonMismatch>[1]): string | undefined =>
    jsonMismatch(parseJsonPattern(pattern), actual, 'x', new Map());

  test('are subsets of objects', () => {
    expect(mismatch('{"a": 1}', { a: 1, b: 2 })).toBeUndefined();
    expect(mismatch('{"a": 1}', { a: 2 })).toBe('x.a should be 1, is 2');
    expect(mismatch('{"a": {"b": true}}', { a: { b: false } })).toBe('x.a.b should be true, is false');
  });

  test('know kinds and bounds as bare words', () => {
    expect(mismatch('{"a": absent, "b": string, "c": >=3, "d": <=3}', { b: 's', c: 3, d: 3 })).toBeUndefined();
    expect(mismatch('{"a": absent}', { a: null })).toBeDefined();
    expect(mismatch('{"a": number}', { a: '1' })).toBeDefined();
    expect(mismatch('{"a": >=3}', { a: 2 })).toBeDefined();
    expect(mismatch('{"a": "absent"}', { a: 'absent' })).toBeUndefined();
  });

  test('want all elements of an array, or some of them in any order', () => {
    expect(mismatch('[1, 2]', [1, 2])).toBeUndefined();
    expect(mismatch('[1, 2]', [1, 2, 3])).toBeDefined();
    expect(mismatch('[2, 1, "..."]', [1, 3, 2])).toBeUndefined();
    expect(mismatch('[4, "..."]', [1, 3, 2])).toBeDefined();
  });
});

test('escapes give bytes, other backslashes stay', () => {
  expect(unescapeBytes('a\\r\\n\\0\\xff\\\\')).toBe('a\r\n\0\u00ff\\');
  expect(unescapeBytes('{"a":"\\"b"}')).toBe('{"a":"\\"b"}');
  expect(unescapeBytes('é')).toBe('\u00c3\u00a9');
});

test('repeat may be nested, an unknown macro is an error', () => {
  const scope = { nonceOf: () => undefined, captures: none, values: { port: '4222' } };
  expect(expandMacros('${repeat(a${repeat(b,2)}${port},2)}', scope)).toBe('abb4222abb4222');
  expect(() => expandMacros('${nothing}', scope)).toThrow('unknown macro');
});

describe('files', () => {
  test('share the header above the first title', () => {
    const [first, second] = parse('config:\n    a: 1\n    b: 2\n\n== one\nc1 open\n\n== two\nconfig:\n    c: 3\nargs: -D -V\nc1 open\n', 'f');
    expect(first).toMatchObject({ title: 'one', config: 'a: 1\nb: 2\n', line: 5 });
    expect(second).toMatchObject({ title: 'two', config: 'c: 3\n', args: ['-D', '-V'] });
  });

  test('join neighbouring unordered lines of one connection', () => {
    const [transcript] = parse('== t\nc1<~ a\nc1<~ b\nc2<~ c\n', 'f');
    expect(transcript?.steps).toHaveLength(2);
  });

  test.each([
    ['== t\nc1 fly away\n', 'f:2: not a step'],
    ['c1 open\n', 'f:1: not a step'],
    ['== t\n\n== u\nc1 open\n', 'f:1: "t" has no steps'],
    ['== t\nc1 open\n== t\nc1 open\n', 'f:3: second transcript'],
    ['# nothing\n', 'f: no transcript'],
  ])('refuse %p', (source, message) => {
    expect(() => parse(source, 'f')).toThrow(TranscriptSyntaxError);
    expect(() => parse(source, 'f')).toThrow(message);
  });
});
