/**
 * Tests import the compiled dist/, which loads the native addon. Before any test runs, setup() compiles dist/ again if
 * lib/ has changed, and installs the packages that only tests need, unless they are there. It fails if the addon is
 * older than its sources, because building an addon takes longer.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nativeProblem } from '../scripts/native-build.js';

export function setup(): void {
  const problem = nativeProblem();
  if (problem !== undefined) throw new Error(problem);
  if (!runs('build-lib.js', '--if-stale'))
    throw new Error('lib/ does not compile: see above. Tests would run the old code.');
  if (!runs('packages.js', 'bench', 'test')) throw new Error('Packages are missing: see above.');
}

function runs(script: string, ...args: string[]): boolean {
  const file = fileURLToPath(new URL(`../scripts/${script}`, import.meta.url));
  return spawnSync(process.execPath, [file, ...args], { stdio: 'inherit' }).status === 0;
}
