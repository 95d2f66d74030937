import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** A package of its own: its lib loads the addon that stands beside it, as the real one does. */
const planted = `${root}build/planted/`;

/** A fault in the library, planted in its copy: the lines of a cart are not added up, the last one counts. */
const lastLine = {
  file: `${planted}dist/stock/cart.js`,
  sound: '(sums.get(sku) ?? 0)',
  faulty: "(process.env['SLUICE_PLANT'] === 'kLastLineCounts' ? 0 : (sums.get(sku) ?? 0))",
};

export function hasCompiler(): boolean {
  return spawnSync(process.env['CXX'] ?? 'c++', ['--version']).status === 0;
}

/** Builds the planted addon (again only what has changed) and the simulator beside it. */
export function buildPlanted(): void {
  mkdirSync(planted, { recursive: true });
  for (const part of ['package.json', 'binding.gyp', 'native', 'dist']) {
    cpSync(root + part, planted + part, { recursive: true, preserveTimestamps: true });
  }
  const source = readFileSync(lastLine.file, 'utf8');
  if (!source.includes(lastLine.sound)) throw new Error(`${lastLine.file}: nowhere to plant kLastLineCounts`);
  writeFileSync(lastLine.file, source.replace(lastLine.sound, lastLine.faulty));
  const gyp = `${root}node_modules/node-gyp/bin/node-gyp.js`;
  expectSuccess(run(planted, [gyp, 'configure', '--', '-Dplants=1']));
  expectSuccess(run(planted, [gyp, 'build', '--jobs', '2']));
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  expectSuccess(run(root, [tsc, '-p', 'test/sim/tsconfig.json', '--outDir', `${planted}build/sim`]));
}

/** Runs the simulator with a fault awake, or none. */
export function simulate(plant: string | undefined, ...args: string[]): SpawnSyncReturns<string> {
  const { SLUICE_PLANT: _, ...env } = process.env;
  const program = `${planted}build/sim/sim/main.js`;
  return run(planted, [program, ...args], plant === undefined ? env : { ...env, SLUICE_PLANT: plant });
}

function run(cwd: string, args: readonly string[], env = process.env): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, {
    cwd,
    env,
    encoding: 'utf8',
    timeout: 900_000,
    killSignal: 'SIGKILL',
  });
}

function expectSuccess({ status, stdout, stderr }: SpawnSyncReturns<string>): void {
  if (status !== 0) throw new Error(`the planted build failed\n${stdout}\n${stderr}`);
}
