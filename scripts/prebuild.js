// Gathers the binaries for the tarball in build/prebuilds:
//
//   node scripts/prebuild.js                       the binary of this machine, with its own compiler
//   node scripts/prebuild.js --all                 all targets, with zig
//   node scripts/prebuild.js --target linux-x64-musl --target win32-x64
//
// `npm pack` and `npm publish` run it with --pack before packing: it gathers the binary of this machine if that is
// missing, and copies what was gathered from the current sources to prebuilds/. They run it with --unpack afterwards.
// Nothing that was gathered is ever removed. --complete, before publishing, fails unless all targets were gathered.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { root } from './digest.js';
import { noteBuild } from './native-build.js';
import { ownTarget, placeOf, stateOf, targets } from './prebuilds.js';
import { buildWithZig, zig } from './zig.js';

/** Gathers the binary that the compiler of this machine makes. @param {import('./prebuilds.js').Target} target */
function gatherOwn(target) {
  execFileSync('npm', ['run', '--silent', 'build:native'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  const place = placeOf(target);
  mkdirSync(dirname(place), { recursive: true });
  cpSync('build/Release/sluice.node', place);
  if (target.os === 'linux') execFileSync('strip', ['--strip-all', place]);
  if (target.os === 'mac') {
    execFileSync('strip', ['-Sx', place]);
    // The signature covers what strip has changed.
    execFileSync('codesign', ['--force', '--sign', '-', place]);
  }
  noteBuild(place);
}

/** @param {readonly import('./prebuilds.js').Target[]} chosen */
async function gatherWithZig(chosen) {
  await zig();
  const left = [...chosen];
  const worker = async () => {
    for (let target = left.shift(); target !== undefined; target = left.shift()) {
      const started = performance.now();
      const place = placeOf(target);
      const library = await buildWithZig(target);
      mkdirSync(dirname(place), { recursive: true });
      cpSync(library, place);
      noteBuild(place);
      const seconds = ((performance.now() - started) / 1_000).toFixed();
      console.log(`${place}: ${statSync(place).size} bytes, in ${seconds} s`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), left.length) }, worker));
}

function pack() {
  const own = ownTarget();
  if (own !== undefined && stateOf(own) !== 'current') gatherOwn(own);
  // npm runs `prepare` next and rebuilds dist/, so that no file deleted from lib/ stays in the tarball.
  rmSync('dist', { recursive: true, force: true });
  unpack();
  for (const target of targets) {
    const state = stateOf(target);
    if (state === 'current') cpSync(placeOf(target), `prebuilds/${target.file}`);
    if (state === 'stale') {
      console.error(`The tarball lacks ${target.name}: ${placeOf(target)} is older than its sources.`);
    }
  }
}

function unpack() {
  rmSync('prebuilds', { recursive: true, force: true });
}

function requireAll() {
  const lacking = targets.filter((target) => stateOf(target) !== 'current');
  if (lacking.length === 0) return;
  for (const target of lacking) console.error(`${placeOf(target)} is ${stateOf(target)}`);
  throw new Error('What to do: npm run prebuild -- --all');
}

process.chdir(root);
const { values: options } = parseArgs({
  options: {
    all: { type: 'boolean' },
    target: { type: 'string', multiple: true },
    pack: { type: 'boolean' },
    unpack: { type: 'boolean' },
    complete: { type: 'boolean' },
  },
});
if (options.pack) {
  pack();
} else if (options.unpack) {
  unpack();
} else if (options.complete) {
  requireAll();
} else if (options.all) {
  await gatherWithZig(targets);
} else if (options.target !== undefined) {
  const names = options.target;
  const unknown = names.find((name) => !targets.some((target) => target.name === name));
  if (unknown !== undefined) {
    throw new Error(`There is no target ${unknown}, only ${targets.map(({ name }) => name).join(', ')}`);
  }
  await gatherWithZig(targets.filter(({ name }) => names.includes(name)));
} else {
  const own = ownTarget();
  if (own === undefined) throw new Error('The tarball has no binary for this machine');
  gatherOwn(own);
}
