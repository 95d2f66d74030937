// Checks whether the addon that lib/ would load was built from the current C++ sources. Run as a program, with the
// argument Release or Debug, it records that this build was made from the current sources.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf, filesBelow, root } from './digest.js';

const sources = ['binding.gyp', ...filesBelow(join(root, 'native')).map((file) => `native/${file}`)];

/** The addons in the order in which lib/binding/addon.ts looks for them. */
function binaries() {
  if (process.env.SLUICE_BUILD === 'debug') return ['build/Debug/sluice.node'];
  const prebuilds = `prebuilds/${process.platform}-${process.arch}`;
  const prebuilt = existsSync(join(root, prebuilds)) ? readdirSync(join(root, prebuilds)) : [];
  return [...prebuilt.map((file) => `${prebuilds}/${file}`), 'build/Release/sluice.node'];
}

/** Returns the digest of the sources and of an addon. @param {string} binary */
function note(binary) {
  return digestOf([...sources, binary]);
}

/** Records that an addon was made from the current sources. @param {string} binary */
export function noteBuild(binary) {
  writeFileSync(join(root, `${binary}.built`), note(binary));
}

/** Returns whether an addon is recorded as made from the current sources. @param {string} binary */
export function wasNoted(binary) {
  try {
    return readFileSync(join(root, `${binary}.built`), 'utf8') === note(binary);
  } catch {
    return false;
  }
}

/** Returns the problem with the addon and its remedy, or undefined if the addon matches the sources. */
export function nativeProblem() {
  const binary = binaries().find((file) => existsSync(join(root, file)));
  const command = process.env.SLUICE_BUILD === 'debug' ? 'npm run build:debug' : 'npm run build:native';
  if (binary === undefined) return `There is no ${binaries().at(-1)}.\nWhat to do: ${command}`;
  const built = statSync(join(root, binary)).mtimeMs;
  const newer = sources.find((file) => statSync(join(root, file)).mtimeMs > built);
  // A newer file whose content is unchanged does not make the build stale.
  if (newer === undefined || wasNoted(binary)) return undefined;
  const remove = binary.startsWith('prebuilds/')
    ? `remove ${binary}, which is loaded before any build, then `
    : '';
  return `${binary} is older than ${newer}: tests would not test what is there.\nWhat to do: ${remove}${command}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  noteBuild(`build/${process.argv[2]}/sluice.node`);
}
