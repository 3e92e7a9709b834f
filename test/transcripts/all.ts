/**
 * Every transcript against every server: our binary (NATS_SERVER, or dist/nats-server) and, where NATS_REFERENCE_SERVER
 * names one, the reference server, which decides what is right. REQUIRE_REFERENCE=1 makes a missing reference an error.
 * The test files beside this one take a server and some of the folders each, so that they run side by side.
 *
 * The reference has races of its own (a consumer that it had not yet written when it was killed, say). What a transcript claims of it is that it answers so, and
 * one run on a new process is enough to see that: there, and only there, a failure is tried again. Our own server has one try.
 */

import { afterAll, describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { applies, loadTranscripts, run, ServerPool, type Transcript } from './runner.ts';

const ours = resolve(process.env['NATS_SERVER'] ?? join(import.meta.dir, '../../dist/nats-server'));
const reference = process.env['NATS_REFERENCE_SERVER'];
const REFERENCE_TRIES = 3;

/** Folders whose transcripts take half of the time of all. */
const FIRST_HALF: ReadonlySet<string> = new Set(['accounts', 'jwt', 'security', 'system']);

export type Half = 'first' | 'second';

function transcriptsOf(half: Half): Transcript[] {
  return loadTranscripts().filter(({ file }) => FIRST_HALF.has(file.split('/')[0] ?? '') === (half === 'first'));
}

/** Runs it, on a new process after each failure but the last. */
async function runOnReference(transcript: Transcript, binary: string, shared: ServerPool): Promise<void> {
  for (let tries = 1; ; tries++) {
    const pool = tries === 1 ? shared : new ServerPool();
    try {
      return await run(transcript, binary, pool);
    } catch (error) {
      if (tries === REFERENCE_TRIES) throw error;
      console.log(`transcripts: the reference server failed ${transcript.file}: ${transcript.title} (try ${tries}): ${String(error)}`);
    } finally {
      if (pool !== shared) await pool.close();
    }
  }
}

function runAll(half: Half, binary: string, isReference: boolean): void {
  const pool = new ServerPool();
  afterAll(() => pool.close());
  for (const transcript of transcriptsOf(half)) {
    if (!applies(transcript, isReference)) continue;
    test(`${transcript.file}: ${transcript.title}`, async () => {
      await (isReference ? runOnReference(transcript, binary, pool) : run(transcript, binary, pool));
      expect(transcript.steps.length).toBeGreaterThan(0);
    });
  }
}

export function runOnOurServer(half: Half): void {
  test('our server binary is built', () => {
    expect(existsSync(ours), `${ours} is missing: run the build, or name a binary with NATS_SERVER`).toBe(true);
  });
  if (existsSync(ours)) describe('our server', () => runAll(half, ours, false));
}

export function runOnReferenceServer(half: Half): void {
  if (reference !== undefined && existsSync(reference)) describe('reference server', () => runAll(half, resolve(reference), true));
  else if (process.env['REQUIRE_REFERENCE'] === '1') {
    test('the reference server is there', () => {
      throw new Error('REQUIRE_REFERENCE=1, but NATS_REFERENCE_SERVER does not name a binary (scripts/reference-server prints one)');
    });
  } else console.log('transcripts: NATS_REFERENCE_SERVER names no binary, so only our own server is tested');
}
