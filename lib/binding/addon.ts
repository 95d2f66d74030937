/** The only file that loads the addon, and that names its `.node` files. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { arch, env, platform, versions } from 'node:process';
import { SluiceError } from '../input/index.js';
import type { NativeClock } from './clock.js';
import { type addonFunctions, contractHash, type Reason } from './contract.js';
import type { NativeFields, NativeGate, NativeParts } from './gate.js';
import type { NativeHandle } from './handle.js';
import type { NativeLimiter } from './limiter.js';
import type { NativeQueue } from './queue.js';
import type { NativeStock } from './stock.js';

/**
 * Functions of the addon. A function that makes or attaches an object returns, if it fails, the reason, a string: see
 * `made()`.
 */
interface AddonCalls {
  createClock(startNs: number): NativeClock | Reason;
  attachClock(handle: NativeHandle): NativeClock | Reason;
  createQueue(options: object, staging: ArrayBuffer | undefined): NativeQueue | Reason;
  attachQueue(handle: NativeHandle, schema: bigint, staging: ArrayBuffer | undefined): NativeQueue | Reason;
  stagingBytes(recordBytes: number): number;
  openWindow(octets: Uint8Array): boolean;
  createLimiter(options: object, staging: ArrayBuffer): NativeLimiter | Reason;
  attachLimiter(handle: NativeHandle, staging: ArrayBuffer): NativeLimiter | Reason;
  createStock(options: object, staging: ArrayBuffer): NativeStock | Reason;
  restoreStock(snapshot: Uint8Array, options: object, staging: ArrayBuffer): NativeStock | Reason;
  attachStock(handle: NativeHandle, staging: ArrayBuffer): NativeStock | Reason;
  createGate(
    parts: NativeParts<NativeQueue, NativeLimiter, NativeStock>,
    fields: NativeFields,
    maxInHand: number,
    staging: ArrayBuffer,
    commit: number,
  ): NativeGate | Reason;
  gateParts(
    handle: NativeHandle,
  ): (NativeParts<NativeHandle, NativeHandle, NativeHandle> & { fields: NativeFields }) | Reason;
  attachGate(
    handle: NativeHandle,
    parts: NativeParts<NativeQueue, NativeLimiter, NativeStock>,
    staging: ArrayBuffer,
  ): NativeGate | Reason;
  /** Returns the time of the machine's clock that goes on while the machine is suspended. */
  bootTimeMs(): number;
  /** Returns whether the calling thread was pinned; undefined where the system has no call for it. */
  pinThread(processor: number): boolean | undefined;
}
type Native = Pick<AddonCalls, (typeof addonFunctions)[number]> & {
  /** The hash of the contract that the addon was built from. */
  readonly contract: string;
};

/** The error for an addon of another version, whose functions may take and return other values than lib/ expects. */
class Mismatch extends Error {}

/**
 * Loads a binary of the package. Each has a `require` of its own with the path in full, because that is what bundlers
 * and tracers of files understand. These stand in a `try`: of such a file a bundler accepts that it is missing.
 */
function prebuilt(file: string): unknown {
  let failure = new Error('there is none for this platform');
  try {
    switch (file) {
      case 'darwin-arm64/sluice.node':
        return require('../../prebuilds/darwin-arm64/sluice.node');
      case 'darwin-x64/sluice.node':
        return require('../../prebuilds/darwin-x64/sluice.node');
      case 'linux-arm64/sluice.glibc.node':
        return require('../../prebuilds/linux-arm64/sluice.glibc.node');
      case 'linux-arm64/sluice.musl.node':
        return require('../../prebuilds/linux-arm64/sluice.musl.node');
      case 'linux-x64/sluice.glibc.node':
        return require('../../prebuilds/linux-x64/sluice.glibc.node');
      case 'linux-x64/sluice.musl.node':
        return require('../../prebuilds/linux-x64/sluice.musl.node');
      case 'win32-arm64/sluice.node':
        return require('../../prebuilds/win32-arm64/sluice.node');
      case 'win32-x64/sluice.node':
        return require('../../prebuilds/win32-x64/sluice.node');
    }
  } catch (error) {
    failure = error as Error;
  }
  throw failure;
}

/** Loads a file that bundlers need not see. */
function fromFile(file: string): unknown {
  return createRequire(file)(file);
}

/** Returns the names of the C libraries to try, the right one only if the system tells which it is. */
function libraries(): readonly string[] {
  try {
    // The process has mapped its C library, however it was started.
    return [readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'glibc'];
  } catch {
    return ['glibc', 'musl']; // `--permission` hides the file
  }
}

function fail(reason: string): never {
  throw new Error(reason);
}

interface Attempt {
  readonly file: string;
  readonly load: () => unknown;
}

function attempts(): Attempt[] {
  const named = env['SLUICE_NATIVE_BINDING'];
  // Node.js would run a file with another ending as JavaScript.
  if (named && !named.endsWith('.node'))
    return [{ file: named, load: () => fail('its name does not end in .node') }];
  if (named) return [{ file: named, load: () => fromFile(resolve(named)) }];
  const inCheckout = (configuration: string): Attempt => {
    const file = `build/${configuration}/sluice.node`;
    return { file, load: () => fromFile(join(__dirname, '../..', file)) };
  };
  // With SLUICE_BUILD=debug, only the addon that `npm run build:debug` makes in a checkout is loaded.
  if (env['SLUICE_BUILD'] === 'debug') return [inCheckout('Debug')];
  const names =
    platform === 'linux' ? libraries().map((library) => `sluice.${library}.node`) : ['sluice.node'];
  const inPackage = names.map((name) => {
    const file = `${platform}-${arch}/${name}`;
    return { file: `prebuilds/${file}`, load: () => prebuilt(file) };
  });
  return [...inPackage, inCheckout('Release')];
}

/** Returns what to do if the environment chooses a binary. */
function chosen(): string {
  if (env['SLUICE_NATIVE_BINDING']) {
    return 'correct or unset SLUICE_NATIVE_BINDING, which names the only binary that is tried';
  }
  if (env['SLUICE_BUILD'] !== 'debug') return '';
  return '"npm run build:debug" in a checkout, or unset SLUICE_BUILD';
}

/** What to do about failures, by what their codes and texts say; the first that fits. */
const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /^ERR_DLOPEN_DISABLED/,
    'allow addons: with --permission, start Node.js with --allow-addons and with --allow-fs-read for the directory ' +
      'of sluice; leave out --no-addons.',
  ],
  [
    /^ERR_ACCESS_DENIED/,
    'with --permission, start Node.js with --allow-addons and with --allow-fs-read for the directory of sluice.',
  ],
  [
    /GLIBC(?:XX)?_[\d.]+. not found/,
    'use a system with glibc 2.28 or later, or clone the repository and run "npm install" there.',
  ],
  [
    /another version of sluice/,
    'reinstall sluice, so that its binary and its lib are of one version; in its repository, "npm install"; in a ' +
      'bundle, copy the binary of the version that was bundled.',
  ],
  [
    /^ERR_UNKNOWN_BUILTIN_MODULE/,
    'set SLUICE_NATIVE_BINDING to the path of the binary before sluice is loaded: a single executable application ' +
      'loads no files beside it by itself.',
  ],
];
const reinstall =
  'reinstall sluice without omitting files; if the platform has no prebuilt binary, clone the repository and run ' +
  '"npm install", which needs a C++20 compiler and Python; in a bundle, mark sluice as external so that its binary ' +
  'stays beside it, or set SLUICE_NATIVE_BINDING to the path of the binary.';

function adviceFor(failures: readonly Error[]): string {
  const told = failures.map(
    (error) => `${(error as NodeJS.ErrnoException).code ?? error.name} ${error.message}`,
  );
  const remedy = remedies.find(([sign]) => told.some((text) => sign.test(text)))?.[1];
  const choice = chosen();
  if (choice === '') return remedy ?? reinstall;
  return remedy === undefined ? `${choice}.` : `${choice}; otherwise, ${remedy}`;
}

/** @throws Error if the binary cannot be loaded, `Mismatch` if it is of another version. */
function loaded({ load }: Attempt): Native {
  const addon = load() as Native;
  const { contract } = addon;
  if (contract === contractHash) return addon;
  throw new Mismatch(
    `built from another version of sluice (contract ${contract}) than this lib (${contractHash})`,
  );
}

/**
 * @throws SluiceError `ERR_SLUICE_LOAD` in Deno, before a binary is loaded: Deno 2.9 frees a clean-up hook of an addon
 *   twice, which ends the process when the addon's thread ends, and has too little of libuv to wake a thread.
 */
function refuseDeno(): void {
  const { deno } = versions as { readonly deno?: string };
  if (deno === undefined) return;
  throw new SluiceError(
    'ERR_SLUICE_LOAD',
    `sluice does not run in Deno (${deno}), which would end the process when the thread of the addon ends.\nWhat to do: run the program in ` +
      'Node.js or Bun.',
  );
}

function load(): Native {
  refuseDeno();
  const tried = attempts();
  const failures: Error[] = [];
  for (const attempt of tried) {
    try {
      return loaded(attempt);
    } catch (error) {
      failures.push(error instanceof Error ? error : new Error(String(error)));
    }
  }
  const reasons = tried.map(({ file }, i) => `  ${file}: ${failures[i]?.message.split('\n')[0]}`);
  throw new SluiceError(
    'ERR_SLUICE_LOAD',
    `sluice has no working binary for ${platform}-${arch}.\nTried:\n${reasons.join('\n')}\nWhat to do: ` +
      adviceFor(failures),
    { cause: new AggregateError(failures) },
  );
}

export const native: Native = load();
