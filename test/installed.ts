import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The directories with the packages that tests may use: those of the tests come first. */
export const modules: readonly string[] = ['node_modules', '../node_modules'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Returns the directory of a package that is installed for tests. */
export function directoryOf(name: string): string {
  const found = modules.map((directory) => `${directory}/${name}`).find(existsSync);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return found;
}
