/** Where the code of sluice's own threads is: in a file of its own, which a bundle may lack. */
import { existsSync } from 'node:fs';
import { SluiceError } from './input/index.js';

/**
 * Returns the path that `find` returns.
 * @throws SluiceError `ERR_SLUICE_LOAD` if there is no such file, because a bundler has moved the code that asks.
 */
export function threadFile(name: string, find: () => string): string {
  let file: string | undefined;
  try {
    file = find();
    if (existsSync(file)) return file;
  } catch {
    // A bundle has the file under another name, or not at all.
  }
  throw new SluiceError(
    'ERR_SLUICE_LOAD',
    `${name}: sluice has no file for its thread${file === undefined ? '' : `: ${file}`}.\nWhat to do: in a bundle, ` +
      'mark sluice as external, so that its files stay together: see docs/guide/bundlers.md.',
  );
}
