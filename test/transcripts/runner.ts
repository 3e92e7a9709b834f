/**
 * The transcript runner: reads transcript files and runs them against a server binary. As a library it is `parse`,
 * `loadTranscripts` and `run`; as a program it is
 *
 *     bun test/transcripts/runner.ts BINARY [FILE...] [--reference] [--only TEXT]
 *
 * which runs the files (all of them by default) and prints one line per transcript and the story of each failure.
 * `--reference` says that BINARY is the reference server (extensions are left out), `--only` keeps the transcripts
 * whose title contains TEXT.
 */

import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { Glob } from 'bun';
import { parse, type Transcript } from './parse.ts';
import { run } from './run.ts';
import { ServerPool } from './servers.ts';

export { parse, type Transcript } from './parse.ts';
export { run, TranscriptFailure } from './run.ts';
export { ServerPool } from './servers.ts';

const FOLDER = dirname(Bun.fileURLToPath(import.meta.url));

/** The transcript files of this folder, sorted. */
export function transcriptFiles(): string[] {
  return [...new Glob('*/*.txt').scanSync({ cwd: FOLDER, absolute: true })].sort();
}

/** Reads transcript files; each transcript's `file` is relative to this folder. */
export function loadTranscripts(files: readonly string[] = transcriptFiles()): Transcript[] {
  return files.flatMap((file) => parse(readFileSync(file, 'utf8'), relative(FOLDER, resolve(file))));
}

/** Whether a transcript says something about this kind of server. */
export function applies(transcript: Transcript, isReference: boolean): boolean {
  return isReference ? transcript.extension === undefined : transcript.differs === undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const isReference = args.includes('--reference');
  const onlyAt = args.indexOf('--only');
  const only = onlyAt < 0 ? '' : (args[onlyAt + 1] ?? '');
  const words = args.filter((word, index) => !word.startsWith('--') && (onlyAt < 0 || index !== onlyAt + 1));
  const [binary, ...files] = words;
  if (binary === undefined) {
    console.error('usage: bun test/transcripts/runner.ts BINARY [FILE...] [--reference] [--only TEXT]');
    return 2;
  }
  const pool = new ServerPool();
  const begin = performance.now();
  let failed = 0;
  let passed = 0;
  for (const transcript of loadTranscripts(files.length === 0 ? undefined : files)) {
    if (!transcript.title.includes(only) || !applies(transcript, isReference)) continue;
    const start = performance.now();
    try {
      await run(transcript, resolve(binary), pool);
      passed++;
      console.log(`ok   ${transcript.file}: ${transcript.title} (${Math.round(performance.now() - start)} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAIL ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  await pool.close();
  console.log(`${passed} passed, ${failed} failed, ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exit(await main(Bun.argv.slice(2)));
