// Makes prebuilds/<platform>-<arch>/sluice[.<libc>].node, the binary for the tarball, under the name that
// lib/binding/addon.ts looks for. `npm pack` and `npm publish` run it before packing, and run it with
// --remove afterwards: a prebuild left behind in a checkout would be loaded instead of later builds. For
// another platform set PREBUILD_PLATFORM, PREBUILD_ARCH and PREBUILD_LIBC beside CC and CXX.

import { copyFileSync, existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
// @ts-expect-error: it has no type declarations
import prebuildify from 'prebuildify';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const platform = process.env.PREBUILD_PLATFORM ?? process.platform;
const arch = process.env.PREBUILD_ARCH ?? process.arch;
const directory = `prebuilds/${platform}-${arch}`;
const isForThisMachine = platform === process.platform && arch === process.arch;

rmSync(directory, { recursive: true, force: true });
if (process.argv.includes('--remove')) {
  // Prebuilds of other platforms that were added by hand stay.
  if (existsSync('prebuilds') && readdirSync('prebuilds').length === 0) rmdirSync('prebuilds');
} else {
  // npm runs `prepare` next and rebuilds dist/, so that no file deleted from lib/ stays in the tarball.
  rmSync('dist', { recursive: true, force: true });
  process.env.JOBS ??= 'max';
  await promisify(prebuildify)({
    napi: true,
    strip: true,
    tagLibc: platform === 'linux',
    targets: [process.versions.node],
  });
  // prebuildify moves the binary out of build/Release; the checkout keeps its own.
  const [binary] = readdirSync(directory);
  if (isForThisMachine) copyFileSync(`${directory}/${binary}`, 'build/Release/sluice.node');
}
