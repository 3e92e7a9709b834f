/**
 * Runs one transcript: its steps in order, against a server that is started (or taken from the pool) when the first
 * step needs one. The first step that does not hold ends the run with a {@link TranscriptFailure} that tells the whole
 * story: the step, what came instead, what was said on that connection, and the end of the server's log.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readable } from '../support/byte-stream.ts';
import { poll } from '../support/deadline.ts';
import { logText, runToEnd, type Outcome, type ServerProcess } from '../support/server-process.ts';
import { removeTemporaryFolder, temporaryFolder } from '../support/temporary.ts';
import { runHttpStep } from './http-step.ts';
import { expandMacros, type MacroScope } from './macros.ts';
import type { ConnectionStep, ExpectStep, OutputStep, ServerStep, Step, Transcript } from './parse.ts';
import { jsonMismatch, matchesText, parseJsonPattern, unescapeBytes, type Captures, type Json } from './pattern.ts';
import { Peer, tlsSetupOf } from './peer.ts';
import type { Lease, ServerPool } from './servers.ts';

/** Default deadline of one expectation, in milliseconds. */
const PATIENCE_MS = 2000;

/** Longest wait for the answer to a request. */
const REQUEST_PATIENCE_MS = 5000;

/** A request's body may go on in the block below it. */
function joined(argument: string, block: string | undefined): string {
  return block === undefined ? argument : `${argument} ${block.trim()}`;
}

/** Why a transcript failed, with everything needed to see it. */
export class TranscriptFailure extends Error {
  override readonly name = 'TranscriptFailure';
}

/** Steps after which a server cannot be shared any more. */
function changesServer(step: Step): boolean {
  return step.kind === 'server' && ['reload', 'signal', 'terminated', 'write', 'restart'].includes(step.verb);
}

/** Steps that run a process to its end, or look at what such a process left; they need no server. */
function aboutProcesses(step: ServerStep): boolean {
  return ['check', 'start', 'run', 'exit', 'file'].includes(step.verb);
}

/** Runs `transcript` against `binary`. Resolves when every step held; rejects with a {@link TranscriptFailure}. */
export async function run(transcript: Transcript, binary: string, pool: ServerPool): Promise<void> {
  const execution = new Execution(transcript, binary, pool);
  let held = false;
  try {
    for (const step of transcript.steps) {
      try {
        await execution.perform(step);
      } catch (error) {
        throw new TranscriptFailure(execution.report(step, error instanceof Error ? error.message : String(error)));
      }
    }
    execution.finishOutcome();
    held = true;
  } finally {
    await execution.close(held);
  }
}

class Execution {
  readonly #transcript: Transcript;
  readonly #binary: string;
  readonly #pool: ServerPool;
  readonly #peers = new Map<string, Peer>();
  readonly #captures: Captures = new Map();
  #lease: Lease | undefined;
  #logMark = 0;
  #folder: string | undefined;
  #outcome: { readonly code: number | null; readonly stdout: string[]; readonly stderr: string[]; readonly used: Set<'stdout' | 'stderr'> } | undefined;

  constructor(transcript: Transcript, binary: string, pool: ServerPool) {
    this.#transcript = transcript;
    this.#binary = binary;
    this.#pool = pool;
  }

  async perform(step: Step): Promise<void> {
    const aboutOutcome = (step.kind === 'output' && step.source !== 'log') || (step.kind === 'server' && (step.verb === 'exit' || step.verb === 'file'));
    if (!aboutOutcome) this.finishOutcome();
    switch (step.kind) {
      case 'send': {
        const peer = this.#peer(step.connection);
        const text = this.#bytes(step.bytes, peer);
        if (step.manner === 'drip') return peer.drip(text);
        return peer.send(step.manner === 'line' ? `${text}\r\n` : text);
      }
      case 'expect': return this.#expect(step);
      case 'connection': return this.#connection(step);
      case 'server': return this.#serverStep(step);
      case 'output': return step.source === 'log' ? this.#log(step) : this.#output(step);
    }
  }

  /** A finished process must have printed nothing that the transcript did not mention, on a stream that it mentions. */
  finishOutcome(): void {
    const outcome = this.#outcome;
    this.#outcome = undefined;
    for (const source of outcome?.used ?? []) {
      const rest = outcome?.[source] ?? [];
      if (rest.length > 0) throw new TranscriptFailure(`${this.#transcript.file}:${this.#transcript.line}: unexpected on ${source}:\n  ${rest.join('\n  ')}`);
    }
  }

  async close(reusable: boolean): Promise<void> {
    for (const peer of this.#peers.values()) peer.socket.destroy();
    if (this.#folder !== undefined) removeTemporaryFolder(this.#folder);
    await this.#lease?.release(reusable);
  }

  report(step: Step, message: string): string {
    const lines = [`${this.#transcript.file}:${step.line}: ${this.#transcript.title}`, `  step: ${step.text.slice(0, 300)}`, `  ${message.slice(0, 2000).replaceAll('\n', '\n  ')}`];
    const names = step.kind === 'expect' ? step.connections : 'connection' in step ? [step.connection] : [];
    for (const name of names) {
      const said = this.#peers.get(name)?.conversation.slice(-12) ?? [];
      if (said.length > 0) lines.push(`  said on ${name}:`, ...said.map((line) => `    ${line}`));
    }
    const log = this.#lease?.server.log.slice(this.#logMark).slice(-8) ?? [];
    if (log.length > 0) lines.push('  log:', ...log.map((line) => `    ${line.slice(0, 300)}`));
    return lines.join('\n');
  }

  // ---- connections ----

  #peer(name: string): Peer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(`connection ${name} is not open`);
    return peer;
  }

  async #expect(step: ExpectStep): Promise<void> {
    const milliseconds = step.milliseconds ?? PATIENCE_MS;
    const [pattern = ''] = step.patterns;
    const peer = step.connections.length === 1 ? this.#peer(step.connections[0] ?? '') : await this.#whicheverHasALine(step.connections, milliseconds);
    if (step.manner === 'unordered') return this.#expectUnordered(peer, step.patterns, milliseconds);
    if (step.manner === 'raw') {
      const expected = Buffer.from(this.#bytes(pattern, peer), 'latin1');
      const actual = await peer.stream.readBytes(expected.length, milliseconds);
      if (!actual.equals(expected)) throw new Error(`got "${readable(actual)}"`);
      return;
    }
    if (pattern === 'closed') return peer.stream.readEnd(milliseconds);
    if (pattern === 'nothing') return this.#sync(peer);
    const special = /^(json|frame|control) (.*)$/s.exec(pattern);
    if (special) {
      const [, sort = '', text = ''] = special;
      const actual = sort === 'json' ? (JSON.parse(await peer.readLine(milliseconds)) as Json) : await peer.frame(sort === 'frame' ? 'data' : 'control', milliseconds);
      return this.#mustMatch(this.#expand(text, peer), actual);
    }
    const expected = this.#bytes(pattern, peer);
    if (/^INFO \{/.test(expected)) {
      const line = await peer.readLine(milliseconds);
      if (!line.startsWith('INFO {')) throw new Error(`got "${line}"`);
      return this.#mustMatch(expected.slice(5), JSON.parse(line.slice(5)) as Json);
    }
    for (const part of expected.split('\r\n')) await this.#expectLine(peer, part, milliseconds);
  }

  #mustMatch(pattern: string, actual: Json): void {
    const mismatch = jsonMismatch(parseJsonPattern(pattern), actual, 'JSON', this.#captures);
    if (mismatch !== undefined) throw new Error(mismatch);
  }

  async #expectLine(peer: Peer, pattern: string, milliseconds: number): Promise<void> {
    const line = await peer.readLine(milliseconds);
    if (!matchesText(pattern, line, this.#captures)) throw new Error(`expected "${readable(Buffer.from(pattern, 'latin1'))}"\ngot      "${readable(Buffer.from(line, 'latin1'))}"`);
  }

  async #expectUnordered(peer: Peer, patterns: readonly string[], milliseconds: number): Promise<void> {
    const open = patterns.map((pattern) => this.#bytes(pattern, peer).split('\r\n'));
    while (open.length > 0) {
      const line = await peer.readLine(milliseconds);
      const at = open.findIndex(([first = '']) => matchesText(first, line, this.#captures));
      if (at < 0) throw new Error(`got "${line}", which is none of:\n${open.map((lines) => `  ${lines.join('\\r\\n')}`).join('\n')}`);
      const [, ...rest] = open.splice(at, 1)[0] ?? [];
      for (const part of rest) await this.#expectLine(peer, part, milliseconds);
    }
  }

  async #whicheverHasALine(names: readonly string[], milliseconds: number): Promise<Peer> {
    return poll(milliseconds, `a line on one of ${names.join(', ')}`, () => names.map((name) => this.#peer(name)).find((peer) => peer.stream.pending.includes('\r\n')));
  }

  /** The one way to see that nothing arrived: everything sent before the answer to a PING arrives before it. */
  async #sync(peer: Peer): Promise<void> {
    peer.send('PING\r\n');
    await this.#expectLine(peer, 'PONG', PATIENCE_MS);
  }

  async #connection(step: ConnectionStep): Promise<void> {
    const { connection: name, verb } = step;
    const argument = this.#expand(step.argument, this.#peers.get(name));
    switch (verb) {
      case 'open': {
        this.#peers.get(name)?.socket.destroy();
        const { ports } = await this.#server();
        this.#peers.set(name, await Peer.open(ports, argument, this.#expand(step.block ?? '')));
        return;
      }
      case 'refused': return this.#mustBeRefused(argument);
      case 'connect': return this.#connect(name, argument);
      case 'login': return this.#login(name, argument);
      case 'barred': return this.#barred(name, argument);
      case 'tls': return this.#startTls(this.#peer(name), argument);
      case 'close': return this.#peer(name).socket.close();
      case 'pause': return this.#peer(name).socket.pause();
      case 'sync': return this.#sync(this.#peer(name));
      case 'frame': return this.#peer(name).sendFrame(argument);
      case 'raw': return this.#peer(name).socket.send(Buffer.from(unescapeBytes(argument), 'latin1'));
      case 'shows': return this.#mustMatch(argument, this.#peer(name).description);
      case 'api': return this.#request(name, `$JS.API.${joined(argument, step.block)}`, undefined, true);
      case 'request': return this.#request(name, argument, step.block, true);
      case 'publish': return this.#request(name, argument, step.block, false);
    }
  }

  /**
   * `SUBJECT payload`, with a block of header lines. The line that announces the answer is taken here; what follows is
   * for the next steps to look at.
   */
  async #request(name: string, argument: string, block: string | undefined, wantsAnswer: boolean): Promise<void> {
    if (!this.#peers.has(name)) await this.#connect(name, '{"headers":true,"no_responders":true}');
    const peer = this.#peer(name);
    const [, subject = '', payload = ''] = /^(\S+) ?([^]*)$/.exec(this.#bytes(argument, peer)) ?? [];
    const headers = this.#bytes(block ?? '', peer).trimEnd().replaceAll('\n', '\r\n');
    const inbox = peer.publish(subject, headers, payload, wantsAnswer);
    if (!wantsAnswer) return;
    let line = await peer.readLine(REQUEST_PATIENCE_MS);
    if (line === 'PING') {
      // The server looks after a connection that was idle for a while.
      peer.send('PONG\r\n');
      line = await peer.readLine(REQUEST_PATIENCE_MS);
    }
    if (!line.startsWith(`MSG ${inbox} `) && !line.startsWith(`HMSG ${inbox} `)) throw new Error(`expected an answer, got "${line}"`);
  }

  async #mustBeRefused(kind: string): Promise<void> {
    const { ports } = await this.#server();
    await poll(PATIENCE_MS, 'refusal of a new connection', async () => {
      const peer = await Peer.open(ports, kind, '').catch(() => undefined);
      peer?.socket.destroy();
      return peer === undefined ? true : undefined;
    });
  }

  /** INFO (if it was not read yet), CONNECT, PING, PONG. */
  async #connect(name: string, options: string): Promise<void> {
    const peer = await this.#informed(name);
    const json = JSON.stringify({ verbose: false, pedantic: false, ...(options === '' ? {} : (JSON.parse(this.#expand(options, peer)) as object)) });
    peer.send(`CONNECT ${Buffer.from(json, 'utf8').toString('latin1')}\r\n`);
    await this.#sync(peer);
  }

  /** The connection, opened if it is not, with its first INFO read. */
  async #informed(name: string): Promise<Peer> {
    const known = this.#peers.get(name);
    const peer = known ?? (await Peer.open((await this.#server()).ports, 'tcp', ''));
    if (known === undefined) this.#peers.set(name, peer);
    if (peer.info === undefined) {
      const line = await peer.readLine(PATIENCE_MS);
      if (!line.startsWith('INFO {')) throw new Error(`expected INFO, got "${line}"`);
    }
    return peer;
  }

  /** `USER by ACCOUNT {claims}`: a new connection that presents this token and signs with the user's key. */
  async #login(name: string, argument: string): Promise<void> {
    await this.#presentToken(name, argument);
    await this.#sync(this.#peer(name));
  }

  async #barred(name: string, argument: string): Promise<void> {
    const peer = await this.#presentToken(name, argument);
    await this.#expectLine(peer, "-ERR 'Authorization Violation'", PATIENCE_MS);
    await peer.stream.readEnd(PATIENCE_MS);
  }

  async #presentToken(name: string, argument: string): Promise<Peer> {
    this.#peers.get(name)?.socket.destroy();
    this.#peers.delete(name);
    const peer = await this.#informed(name);
    const user = /^(\S+) by /.exec(argument)?.[1] ?? '';
    const fields = this.#expand(`{"jwt":"\${jwt(user ${argument})}","sig":"\${sign(${user})}"}`, peer);
    peer.send(`CONNECT ${JSON.stringify({ verbose: false, headers: true, no_responders: true, ...(JSON.parse(fields) as object) })}\r\n`);
    return peer;
  }

  async #startTls(peer: Peer, argument: string): Promise<void> {
    const [first, ...rest] = argument.split(/\s+/).filter((word) => word !== '');
    const fails = first === 'fails';
    const setup = tlsSetupOf(fails || first === undefined ? rest : [first, ...rest]);
    if (!fails) return peer.socket.startTls(setup);
    // With TLS 1.3 the server's refusal of a client certificate arrives after the client's side of the handshake is done.
    const refused = await peer.socket.startTls(setup).then(() => false, () => true);
    if (!refused) await peer.stream.readEnd(PATIENCE_MS);
  }

  // ---- server ----

  async #server(): Promise<ServerProcess> {
    if (this.#lease === undefined) {
      const { config, files, args, bare, environment, fresh, steps } = this.#transcript;
      const alone = fresh !== undefined || steps.some(changesServer);
      this.#lease = await this.#pool.lease({
        binary: this.#binary,
        ...(config === undefined ? {} : { config: this.#expand(config) }),
        ...(files === undefined ? {} : { files: this.#expandAll(files) }),
        ...(args === undefined ? {} : { args: args.map((argument) => this.#expand(argument)) }),
        ...(bare === undefined ? {} : { bare }),
        ...(environment === undefined ? {} : { environment }),
      }, alone);
      this.#logMark = alone ? 0 : this.#lease.server.log.length;
    }
    return this.#lease.server;
  }

  async #serverStep(step: ServerStep): Promise<void> {
    if (!aboutProcesses(step)) await this.#server();
    const argument = this.#expand(step.argument);
    switch (step.verb) {
      case 'GET':
      case 'POST':
      case 'HEAD': return runHttpStep(step.verb, argument, this.#expand(step.block ?? ''), (await this.#server()).ports.monitoring, this.#captures);
      case 'reload': return this.#reload(argument, step.block ?? '');
      case 'signal': {
        const server = await this.#server();
        this.#logMark = server.log.length;
        return server.signal(`SIG${argument.toUpperCase()}` as NodeJS.Signals);
      }
      case 'running': return void (await this.#server());
      case 'terminated': {
        const code = await (await this.#server()).exited(5000);
        if (code !== Number(argument)) throw new Error(`exit code ${code}`);
        return;
      }
      case 'write': return writeFileSync(join((await this.#server()).folder, argument), this.#expand(step.block ?? ''));
      case 'file': return this.#file(argument);
      case 'check': return this.#finish(step.block ?? '', (path) => ['-c', path, '-t', ...argument.split(/\s+/).filter((word) => word !== '')]);
      case 'start': return this.#finish(step.block ?? '', (path) => ['-a', '127.0.0.1', '-p', '-1', '-c', path, ...argument.split(/\s+/).filter((word) => word !== '')]);
      case 'run': return this.#finish(step.block ?? '', () => argument.split(/\s+/));
      case 'exit': {
        if (this.#outcome === undefined) throw new Error('no process was run');
        if (this.#outcome.code !== Number(argument)) throw new Error(`exit code ${this.#outcome.code}\n${this.#outcome.stderr.join('\n')}`);
        return;
      }
      case 'tally': return this.#tally(argument);
      case 'restart': return this.#restart(argument === 'kill' ? 'SIGKILL' : 'SIGTERM');
    }
  }

  /** The server ends and starts again in its folder; connections are gone. */
  async #restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const server = await this.#server();
    for (const peer of this.#peers.values()) peer.socket.destroy();
    this.#peers.clear();
    this.#logMark = server.log.length;
    await server.restart(signal);
  }

  /** `refused PATTERN` or nothing; the block is the new configuration, none at all keeps the file. */
  async #reload(argument: string, config: string): Promise<void> {
    const server = await this.#server();
    if (config !== '') server.writeConfig(this.#expand(config));
    this.#logMark = server.log.length;
    server.signal('SIGHUP');
    const done = await server.waitForLog((line) => /Reloaded server configuration|Failed to reload server configuration/.test(line), this.#logMark, 3000);
    const refusal = /Failed to reload server configuration: (.*)$/.exec(done)?.[1];
    const expected = /^refused (.*)$/.exec(argument)?.[1];
    if (refusal !== expected && (refusal === undefined || expected === undefined || !matchesText(expected, refusal, this.#captures))) {
      throw new Error(refusal === undefined ? 'the reload succeeded' : `the reload was refused: ${refusal}`);
    }
  }

  /** `NAME = PATTERN` (whole content), or `NAME absent`. */
  async #file(argument: string): Promise<void> {
    const [, name = '', pattern] = /^(\S+) (?:absent|= ?(.*))$/.exec(argument) ?? [];
    const path = join(this.#lease?.server.folder ?? this.#folder ?? '', name);
    await poll(PATIENCE_MS, `${name} as described (it is ${existsSync(path) ? JSON.stringify(readFileSync(path, 'utf8')) : 'absent'})`, () => {
      if (!existsSync(path)) return pattern === undefined ? true : undefined;
      return pattern !== undefined && matchesText(unescapeBytes(pattern), readFileSync(path, 'latin1'), this.#captures) ? true : undefined;
    });
  }

  async #finish(config: string, args: (configPath: string) => readonly string[]): Promise<void> {
    this.#folder ??= temporaryFolder('transcript');
    for (const [name, text] of Object.entries(this.#transcript.files ?? {})) writeFileSync(join(this.#folder, name), this.#expand(text));
    const path = join(this.#folder, 'nats.conf');
    writeFileSync(path, this.#expand(config));
    const outcome: Outcome = await runToEnd([this.#binary, ...args(path)], {
      folder: this.#folder,
      ...(this.#transcript.environment === undefined ? {} : { environment: this.#transcript.environment }),
    });
    const lines = (text: string): string[] => text.replace(/\n$/, '').split('\n').filter((line, _, all) => all.length > 1 || line !== '');
    this.#outcome = { code: outcome.code, stdout: lines(outcome.stdout), stderr: lines(outcome.stderr).map(logText), used: new Set() };
  }

  /** `N of PREFIX on c1 c2, each MIN..MAX`: how messages spread over connections. */
  async #tally(argument: string): Promise<void> {
    const match = /^(\d+) of (.+) on ([\w ]+?)(?:, each (\d+)\.\.(\d+))?$/.exec(argument);
    if (match === null) throw new Error(`not a tally: ${argument}`);
    const [, total = '', prefix = '', names = '', least = '0', most = total] = match;
    const counts = new Map(names.split(' ').map((name) => [name, 0]));
    const sum = (): number => [...counts.values()].reduce((left, right) => left + right, 0);
    for (const name of counts.keys()) {
      const peer = this.#peer(name);
      peer.send('PING\r\n');
      for (let line = await peer.stream.readLine(PATIENCE_MS); line !== 'PONG'; line = await peer.stream.readLine(PATIENCE_MS)) {
        if (line.startsWith(prefix)) counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }
    const shown = [...counts].map(([name, count]) => `${name}: ${count}`).join(', ');
    if (sum() !== Number(total)) throw new Error(`expected ${total} in all, got ${shown}`);
    for (const count of counts.values()) {
      if (count < Number(least) || count > Number(most)) throw new Error(`expected ${least} to ${most} each, got ${shown}`);
    }
  }

  async #log(step: OutputStep): Promise<void> {
    const server = await this.#server();
    const pattern = this.#expand(step.pattern);
    const matches = (line: string): boolean => matchesText(pattern, logText(line), this.#captures);
    if (!step.absent) return void (await server.waitForLog(matches, this.#logMark, step.milliseconds ?? PATIENCE_MS));
    const found = server.log.slice(this.#logMark).find(matches);
    if (found !== undefined) throw new Error(`the log has: ${found}`);
  }

  /** The next line of a finished process; a pattern of `...` skips lines up to the one that the next step names. */
  #output(step: OutputStep): void {
    const outcome = this.#outcome;
    if (outcome === undefined || step.source === 'log') throw new Error('no process was run');
    const lines = outcome[step.source];
    if (step.absent) {
      if (lines.some((line) => matchesText(this.#expand(step.pattern), line, this.#captures))) throw new Error(`${step.source} has it:\n${lines.join('\n')}`);
      return;
    }
    outcome.used.add(step.source);
    if (step.pattern === '...') {
      const steps = this.#transcript.steps;
      const next = steps[steps.indexOf(step) + 1];
      const pattern = next?.kind === 'output' ? this.#expand(next.pattern) : undefined;
      const at = pattern === undefined ? lines.length : lines.findIndex((line) => matchesText(pattern, line, this.#captures));
      if (at < 0) throw new Error(`no line "${pattern ?? ''}" in:\n${lines.join('\n')}`);
      lines.splice(0, at);
      return;
    }
    const line = lines.shift();
    const expected = this.#expand(step.pattern);
    if (line === undefined || !matchesText(expected, line, this.#captures)) throw new Error(`expected "${expected}"\ngot      "${line ?? 'nothing more'}"`);
  }

  // ---- text ----

  #expandAll(files: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, this.#expand(text)]));
  }

  #expand(text: string, peer?: Peer): string {
    if (!text.includes('${')) return text;
    const server = this.#lease?.server;
    const folder = server?.folder ?? this.#folder;
    const scope: MacroScope = {
      captures: this.#captures,
      values: {
        dir: folder,
        conf: folder === undefined ? undefined : join(folder, 'nats.conf'),
        pid: server === undefined ? undefined : String(server.pid),
        port: server?.ports.nats === undefined ? undefined : String(server.ports.nats.port),
        websocket_port: server?.ports.websocket === undefined ? undefined : String(server.ports.websocket.port),
        monitoring_port: server?.ports.monitoring === undefined ? undefined : String(server.ports.monitoring.port),
        local_port: peer === undefined ? undefined : String(peer.socket.localPort),
      },
      ...(peer?.nonce === undefined ? {} : { nonce: peer.nonce }),
      nonceOf: (name) => this.#peers.get(name)?.nonce,
    };
    return expandMacros(text, scope);
  }

  #bytes(text: string, peer: Peer): string {
    return unescapeBytes(this.#expand(text, peer));
  }
}
