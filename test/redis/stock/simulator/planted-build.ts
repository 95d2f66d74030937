import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { mirrorSources, mutated, plant, readSources } from '../../../support/mutated-sources.js';
import { faults } from './faults.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
/** A package of its own, with the addon of this one. */
const planted = `${root}build/planted-redis/`;
const parts = ['package.json', 'dist'];
const addon = 'build/Release/sluice.node';

/** Writes a copy of dist/ with all faults planted, each inactive, and the simulator beside it. */
export function buildPlanted(): void {
  const sources = readSources(root, parts);
  const mutations = Object.entries(faults).map(([name, fault]) => plant(sources, name, fault));
  for (const [file, text] of mutated(sources, mutations)) sources.set(file, text);
  mirrorSources(sources, parts, planted);
  mkdirSync(`${planted}build/Release`, { recursive: true });
  copyFileSync(root + addon, planted + addon);
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const project = 'test/redis/stock/simulator/tsconfig.json';
  const made = run(root, [tsc, '-p', project, '--outDir', `${planted}build/sim`]);
  if (made.status !== 0) throw new Error(`the simulator was not compiled\n${made.stdout}\n${made.stderr}`);
}

/** Runs the simulator with one fault active, or none. */
export function simulate(fault: string | undefined, ...args: string[]): ReturnType<typeof run> {
  const { SLUICE_PLANT: _, ...env } = process.env;
  const program = `${planted}build/sim/redis/stock/simulator/main.js`;
  return run(planted, [program, ...args], fault === undefined ? env : { ...env, SLUICE_PLANT: fault });
}

function run(
  cwd: string,
  args: readonly string[],
  env = process.env,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const options = { cwd, env, encoding: 'utf8', timeout: 600_000, killSignal: 'SIGKILL' } as const;
  return spawnSync(process.execPath, args, options);
}
