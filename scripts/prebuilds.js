// The binaries that the tarball carries: one for each platform, architecture and libc. They are gathered in
// build/prebuilds, and `npm pack` copies them to prebuilds/ for as long as it packs: a checkout loads build/Release,
// never a gathered binary.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { root } from './digest.js';
import { wasNoted } from './native-build.js';

/**
 * A target's name is the name of its file: lib/binding/addon.ts has the same names.
 * @typedef {{ name: string, zig: string, os: 'linux' | 'mac' | 'win', file: string }} Target
 */

/** The folder, from the root, of the binaries that were gathered for the tarball. */
const gathered = 'build/prebuilds';

/** glibc 2.28 is what the official Node.js binaries need, too. @type {readonly Target[]} */
export const targets = [
  { name: 'linux-x64-glibc', zig: 'x86_64-linux-gnu.2.28', os: 'linux', file: 'linux-x64/sluice.glibc.node' },
  { name: 'linux-x64-musl', zig: 'x86_64-linux-musl', os: 'linux', file: 'linux-x64/sluice.musl.node' },
  {
    name: 'linux-arm64-glibc',
    zig: 'aarch64-linux-gnu.2.28',
    os: 'linux',
    file: 'linux-arm64/sluice.glibc.node',
  },
  { name: 'linux-arm64-musl', zig: 'aarch64-linux-musl', os: 'linux', file: 'linux-arm64/sluice.musl.node' },
  { name: 'darwin-x64', zig: 'x86_64-macos.11.0', os: 'mac', file: 'darwin-x64/sluice.node' },
  { name: 'darwin-arm64', zig: 'aarch64-macos.11.0', os: 'mac', file: 'darwin-arm64/sluice.node' },
  { name: 'win32-x64', zig: 'x86_64-windows-gnu', os: 'win', file: 'win32-x64/sluice.node' },
  { name: 'win32-arm64', zig: 'aarch64-windows-gnu', os: 'win', file: 'win32-arm64/sluice.node' },
];

/** Returns the target of this machine; undefined: the tarball has none for it. */
export function ownTarget() {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  const libc = report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
  const name = `${process.platform}-${process.arch}${process.platform === 'linux' ? `-${libc}` : ''}`;
  return targets.find((target) => target.name === name);
}

/** Returns the place of a target's gathered binary. @param {Target} target */
export function placeOf(target) {
  return `${gathered}/${target.file}`;
}

/**
 * Returns whether a target's binary was gathered, and from the current sources. @param {Target} target
 * @returns {'current' | 'stale' | 'missing'}
 */
export function stateOf(target) {
  if (!existsSync(join(root, placeOf(target)))) return 'missing';
  return wasNoted(placeOf(target)) ? 'current' : 'stale';
}
