/**
 * Temporary folders for tests. Every folder made here is removed when the test process ends, also after a failure, so a
 * test never has to clean up and never leaves anything behind.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tellReaper } from './reaper.ts';

/** Makes a new empty folder below the system's temporary folder; `label` only makes its name readable. */
export function temporaryFolder(label = 'test'): string {
  const folder = mkdtempSync(join(tmpdir(), `nats-${label}-`));
  tellReaper('folder', folder);
  return folder;
}

/** Removes a folder made by {@link temporaryFolder} before the process ends. */
export function removeTemporaryFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
