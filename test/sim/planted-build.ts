import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { mirrorSources, mutated, plant, readSources, type Sources } from '../support/mutated-sources.js';
import { faults } from './faults.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** A package of its own: its lib loads the addon beside it, as the real one does. */
const planted = `${root}build/planted/`;
const parts = ['package.json', 'binding.gyp', 'native', 'dist'];
/** Whether a fault is active: the environment names it. */
const awake = `#pragma once
#include <cstdlib>
#include <cstring>

inline bool sluice_planted(const char* fault) noexcept {
  static const char* const chosen = std::getenv("SLUICE_PLANT");
  return chosen != nullptr && std::strcmp(chosen, fault) == 0;
}
`;

export function hasCompiler(): boolean {
  return spawnSync(`${process.env['CXX'] ?? 'c++'} --version`, { shell: true }).status === 0;
}

/**
 * Writes the planted sources and builds the addon from them, with the simulator beside it. Builds again only what has
 * changed.
 */
export function buildPlanted(): void {
  mirrorSources(plantedSources(), parts, planted);
  const gyp = `${root}node_modules/node-gyp/bin/node-gyp.js`;
  expectSuccess(run(planted, [gyp, 'configure', 'build', '--jobs', '2']));
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  expectSuccess(run(root, [tsc, '-p', 'test/sim/tsconfig.json', '--outDir', `${planted}build/sim`]));
}

/** Returns the sources of the package with all faults planted, each inactive. */
function plantedSources(): Sources {
  const sources = readSources(root, parts);
  const mutations = Object.entries(faults).map(([name, fault]) => plant(sources, name, fault));
  const changed = mutated(sources, mutations);
  for (const [file, text] of changed) {
    sources.set(file, file.endsWith('.js') ? text : `#include "planted.h"\n${text}`);
  }
  return sources.set('native/planted.h', awake);
}

/** Runs the simulator with one fault active, or none. */
export function simulate(fault: string | undefined, ...args: string[]): SpawnSyncReturns<string> {
  return runPlanted(fault, `${planted}build/sim/sim/main.js`, ...args);
}

/**
 * Runs the text of a program, which imports the planted package as './dist/index.js', with one fault active, or none.
 */
export function evaluate(fault: string | undefined, program: string): SpawnSyncReturns<string> {
  return runPlanted(fault, '--input-type=module', '--eval', program);
}

function runPlanted(fault: string | undefined, ...args: string[]): SpawnSyncReturns<string> {
  const { SLUICE_PLANT: _, ...env } = process.env;
  return run(planted, args, fault === undefined ? env : { ...env, SLUICE_PLANT: fault });
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
