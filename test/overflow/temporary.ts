import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Makes a directory that is removed when the test has finished. */
export function temporary(): string {
  const made = mkdtempSync(join(tmpdir(), 'sluice-overflow-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}
