/**
 * Reads transcript files (the format is described in README.md beside this file) into typed steps. Everything that can
 * be wrong about the text itself is refused here, with file and line, so that a run only fails for what a server does.
 */

/** Commands on a connection: `NAME verb arguments`. */
const CONNECTION_VERBS = ['open', 'refused', 'connect', 'login', 'barred', 'tls', 'close', 'pause', 'sync', 'frame', 'raw', 'shows', 'api', 'request', 'publish'] as const;
/** Commands on the server or on a finished process: `verb arguments`. */
const SERVER_VERBS = ['GET', 'POST', 'HEAD', 'reload', 'signal', 'terminated', 'check', 'start', 'run', 'exit', 'write', 'file', 'tally', 'running', 'restart'] as const;

export type ConnectionVerb = (typeof CONNECTION_VERBS)[number];
export type ServerVerb = (typeof SERVER_VERBS)[number];

/** Where a step stands in its file. */
interface Place {
  readonly line: number;
  /** The step as written, for reports. */
  readonly text: string;
}

/** Bytes to send: with CRLF added, as they are, or as they are in one write per byte. */
export interface SendStep extends Place {
  readonly kind: 'send';
  readonly connection: string;
  readonly manner: 'line' | 'raw' | 'drip';
  readonly bytes: string;
}

/** What must arrive next: a line (or several), exact bytes, or several lines in any order. */
export interface ExpectStep extends Place {
  readonly kind: 'expect';
  /** More than one name: exactly one of these connections receives it. */
  readonly connections: readonly string[];
  readonly manner: 'line' | 'raw' | 'unordered';
  readonly patterns: readonly string[];
  /** Deadline in milliseconds, where the step names its own. */
  readonly milliseconds?: number;
}

export interface ConnectionStep extends Place {
  readonly kind: 'connection';
  readonly connection: string;
  readonly verb: ConnectionVerb;
  readonly argument: string;
  readonly block: string | undefined;
}

export interface ServerStep extends Place {
  readonly kind: 'server';
  readonly verb: ServerVerb;
  readonly argument: string;
  readonly block: string | undefined;
}

/** A line that the log must, or must not, hold; or the next line that a finished process printed. */
export interface OutputStep extends Place {
  readonly kind: 'output';
  readonly source: 'log' | 'stdout' | 'stderr';
  readonly absent: boolean;
  readonly pattern: string;
  readonly milliseconds?: number;
}

export type Step = SendStep | ExpectStep | ConnectionStep | ServerStep | OutputStep;

/** What a header may set, for a whole file or for one transcript of it. */
export interface Header {
  /** Why this is a behaviour of our server only. */
  readonly extension?: string;
  /** Why our server deliberately does not do what the reference does here. */
  readonly differs?: string;
  /** Why the transcript needs a server of its own. */
  readonly fresh?: string;
  readonly bare?: boolean;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly config?: string;
  readonly files?: Readonly<Record<string, string>>;
}

export interface Transcript extends Header {
  /** The file's name as given to {@link parse}. */
  readonly file: string;
  readonly line: number;
  readonly title: string;
  readonly steps: readonly Step[];
}

/** What {@link parse} throws: the place and what is wrong there. */
export class TranscriptSyntaxError extends Error {
  override readonly name = 'TranscriptSyntaxError';
}

interface Line {
  readonly number: number;
  readonly text: string;
  readonly block: string | undefined;
}

/** Joins each line with the indented block below it, and drops comments and empty lines between steps. */
function linesWithBlocks(source: string): Line[] {
  const raw = source.split('\n');
  const lines: Line[] = [];
  for (let index = 0; index < raw.length; ) {
    const number = index + 1;
    const text = raw[index++] ?? '';
    const block: string[] = [];
    while (index < raw.length && /^( {4}|\s*$)/.test(raw[index] ?? '')) block.push((raw[index++] ?? '').slice(4));
    while (block.length > 0 && block.at(-1) === '') block.pop();
    if (text.trim() === '' || text.startsWith('#')) continue;
    lines.push({ number, text, block: block.length === 0 ? undefined : `${block.join('\n')}\n` });
  }
  return lines;
}

function headerOf(line: Line): Header | undefined {
  const match = /^(extension|differs|fresh|bare|args|env|config|file (\S+)):\s*(.*)$/.exec(line.text);
  if (match === null) return undefined;
  const [, key = '', name, value = ''] = match;
  if (name !== undefined) return { files: { [name]: line.block ?? '' } };
  switch (key) {
    case 'config': return { config: line.block ?? '' };
    case 'bare': return { bare: true };
    case 'args': return { args: value.split(/\s+/).filter((word) => word !== '') };
    case 'env': return { environment: Object.fromEntries([value.split(/=(.*)/s).slice(0, 2)]) as Record<string, string> };
    default: return { [key]: value };
  }
}

function merge(left: Header, right: Header): Header {
  return {
    ...left,
    ...right,
    ...(left.files || right.files ? { files: { ...left.files, ...right.files } } : {}),
    ...(left.environment || right.environment ? { environment: { ...left.environment, ...right.environment } } : {}),
  };
}

function millisecondsOf(text: string | undefined): { readonly milliseconds?: number } {
  return text === undefined ? {} : { milliseconds: Number(text.slice(0, -1)) * 1000 };
}

function stepOf(line: Line): Step | undefined {
  const place: Place = { line: line.number, text: line.text };
  const output = /^(log|stdout|stderr)(<|!)(\d+(?:\.\d+)?s)?(?: (.*))?$/.exec(line.text);
  if (output) {
    const [, source = '', mark, time, pattern = ''] = output;
    return { ...place, kind: 'output', source: source as OutputStep['source'], absent: mark === '!', pattern, ...millisecondsOf(time) };
  }
  const send = /^(\w+)(>>|>\.|>)(?: (.*))?$/.exec(line.text);
  if (send) {
    const [, connection = '', mark, bytes = ''] = send;
    return { ...place, kind: 'send', connection, manner: mark === '>' ? 'line' : mark === '>>' ? 'raw' : 'drip', bytes };
  }
  const expect = /^(\w+(?:\|\w+)*)(<<|<~|<)(\d+(?:\.\d+)?s)?(?: (.*))?$/.exec(line.text);
  if (expect) {
    const [, names = '', mark, time, pattern = ''] = expect;
    const manner = mark === '<' ? 'line' : mark === '<<' ? 'raw' : 'unordered';
    const whole = line.block === undefined ? pattern : `${pattern} ${line.block.trim()}`;
    return { ...place, kind: 'expect', connections: names.split('|'), manner, patterns: [whole], ...millisecondsOf(time) };
  }
  const server = /^(\w+):?(?: (.*?))?:?$/.exec(line.text);
  const serverVerb = SERVER_VERBS.find((verb) => verb === server?.[1]);
  if (server && serverVerb) return { ...place, kind: 'server', verb: serverVerb, argument: server[2] ?? '', block: line.block };
  const command = /^(\w+) (\w+)(?: (.*))?$/.exec(line.text);
  const verb = CONNECTION_VERBS.find((candidate) => candidate === command?.[2]);
  if (command && verb) return { ...place, kind: 'connection', connection: command[1] ?? '', verb, argument: command[3] ?? '', block: line.block };
  return undefined;
}

/** Neighbouring `<~` steps of one connection are one expectation. */
function joinUnordered(steps: readonly Step[]): Step[] {
  const joined: Step[] = [];
  for (const step of steps) {
    const last = joined.at(-1);
    const joins = step.kind === 'expect' && step.manner === 'unordered' && last?.kind === 'expect' && last.manner === 'unordered' &&
      last.connections.join() === step.connections.join();
    if (joins) joined[joined.length - 1] = { ...last, patterns: [...last.patterns, ...step.patterns] };
    else joined.push(step);
  }
  return joined;
}

/** Reads the transcripts of one file. `file` only names it in reports. Throws a {@link TranscriptSyntaxError}. */
export function parse(source: string, file: string): Transcript[] {
  const transcripts: Transcript[] = [];
  let shared: Header = {};
  let open: { readonly line: number; readonly title: string; header: Header; readonly steps: Step[] } | undefined;
  const finish = (): void => {
    if (open === undefined) return;
    const { line, title, header, steps } = open;
    if (steps.length === 0) throw new TranscriptSyntaxError(`${file}:${line}: "${title}" has no steps`);
    transcripts.push({ ...merge(shared, header), file, line, title, steps: joinUnordered(steps) });
  };
  for (const line of linesWithBlocks(source)) {
    const title = /^== (.+)$/.exec(line.text)?.[1];
    if (title !== undefined) {
      finish();
      if (transcripts.some((other) => other.title === title)) throw new TranscriptSyntaxError(`${file}:${line.number}: second transcript with this title`);
      open = { line: line.number, title, header: {}, steps: [] };
      continue;
    }
    const header = open === undefined || open.steps.length === 0 ? headerOf(line) : undefined;
    if (header) {
      if (open === undefined) shared = merge(shared, header);
      else open.header = merge(open.header, header);
      continue;
    }
    const step = stepOf(line);
    if (open === undefined || step === undefined) throw new TranscriptSyntaxError(`${file}:${line.number}: not a step: ${line.text}`);
    open.steps.push(step);
  }
  finish();
  if (transcripts.length === 0) throw new TranscriptSyntaxError(`${file}: no transcript`);
  return transcripts;
}
