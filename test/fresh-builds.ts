/**
 * Tests import the compiled dist/, which loads the native addon. Before any test runs, setup() compiles dist/ again if
 * lib/ has changed. It fails if the addon is older than its sources, because building an addon takes longer.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nativeProblem } from '../scripts/native-build.js';

export function setup(): void {
  const problem = nativeProblem();
  if (problem !== undefined) throw new Error(problem);
  const build = fileURLToPath(new URL('../scripts/build-lib.js', import.meta.url));
  const { status } = spawnSync(process.execPath, [build, '--if-stale'], { stdio: 'inherit' });
  if (status !== 0) throw new Error('lib/ does not compile: see above. Tests would run the old code.');
}
