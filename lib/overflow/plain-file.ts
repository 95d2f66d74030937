import { type Stats, statSync } from 'node:fs';
import { storeError } from './errors.js';

/**
 * Checks that `path`, and what an engine opens beside it, are plain files or are not there yet: it would wait for ever
 * at a FIFO, and would take a device for an empty file.
 *
 * @throws SluiceError `ERR_SLUICE_STORE_FAILED`.
 */
export function checkPlain(path: string, ...beside: string[]): void {
  for (const file of [path, ...beside.map((suffix) => path + suffix)]) {
    const found = look(path, file);
    if (found === undefined || found.isFile()) continue;
    throw failed(path, `path must be that of a file, ${file} is ${kindOf(found)}`);
  }
}

function look(path: string, file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch (error) {
    throw failed(path, `path must be that of a file: ${(error as Error).message}`, error);
  }
}

function failed(path: string, what: string, cause?: unknown): Error {
  return storeError('ERR_SLUICE_STORE_FAILED', path, what, cause);
}

function kindOf(found: Stats): string {
  if (found.isDirectory()) return 'a directory';
  if (found.isFIFO()) return 'a FIFO';
  return found.isSocket() ? 'a socket' : 'a device';
}
