import type { RedisPort } from 'sluice/redis';
import { Divergence } from './auditor.js';
import { run } from './run.js';

/**
 * Runs the seeds from `first` to `last`, `together` at a time, up to the first that fails. Returns how many passed, and
 * what to say of those that failed.
 */
export async function runSeeds(
  server: RedisPort,
  first: number,
  last: number,
  together: number,
): Promise<{ passed: number; failures: string[] }> {
  const failures: string[] = [];
  let [next, passed] = [first, 0];
  const runSome = async (): Promise<void> => {
    while (next <= last && failures.length === 0) {
      const seed = next++;
      try {
        await run(seed, server);
        passed++;
      } catch (error) {
        const { message, stack } = error as Error;
        const what = error instanceof Divergence ? `Divergence: ${message}` : stack;
        failures.push(`seed ${seed} fails: npm run sim:redis -- --seed ${seed}\n${what}`);
      }
    }
  };
  await Promise.all(Array.from({ length: together }, runSome));
  return { passed, failures };
}
