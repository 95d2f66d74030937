/** The only file that loads the addon, and that names its `.node` files. */
import { Buffer } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';
import { SluiceError } from '../input/index.js';
import type { NativeClock } from './clock.js';
import { type addonFunctions, contractHash, type Reason } from './contract.js';
import type { NativeFields, NativeGate, NativeParts } from './gate.js';
import type { NativeHandle } from './handle.js';
import type { NativeLimiter } from './limiter.js';
import type { NativeQueue } from './queue.js';
import type { NativeStock } from './stock.js';

const require = createRequire(import.meta.url);

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

/** Whether this process runs on musl: the first page of the executable names its program interpreter. */
function isMusl(): boolean {
  const page = Buffer.alloc(4096);
  try {
    const file = openSync('/proc/self/exe', 'r');
    try {
      readSync(file, page, 0, page.length, 0);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
  return page.includes('/ld-musl-');
}

/** The error for an addon of another version, whose functions may take and return other values than lib/ expects. */
class Mismatch extends Error {}

/** Loads the addon in `file`. @throws Error if it cannot be loaded, `Mismatch` if it is of another version. */
function loaded(file: string): Native {
  const addon = require(file) as Native;
  const { contract } = addon;
  if (contract === contractHash) return addon;
  throw new Mismatch(
    `built from another version of sluice (contract ${contract}) than this lib (${contractHash})`,
  );
}

function load(): Native {
  const platform = `${process.platform}-${process.arch}`;
  const file = process.platform === 'linux' ? `sluice.${isMusl() ? 'musl' : 'glibc'}.node` : 'sluice.node';
  // With SLUICE_BUILD=debug, only the addon that `npm run build:debug` makes in a checkout is loaded.
  const isDebug = process.env['SLUICE_BUILD'] === 'debug';
  const attempts = isDebug
    ? ['../../build/Debug/sluice.node']
    : [`../../prebuilds/${platform}/${file}`, '../../build/Release/sluice.node'];
  const failures: Error[] = [];
  for (const attempt of attempts) {
    try {
      return loaded(attempt);
    } catch (error) {
      failures.push(error as Error);
    }
  }
  const reasons = attempts.map((attempt, i) => `  ${attempt}: ${failures[i]?.message.split('\n')[0]}`);
  throw new SluiceError(
    'ERR_SLUICE_LOAD',
    `sluice has no working binary for ${platform} (${file}).\nTried:\n${reasons.join('\n')}\nWhat to do: ` +
      (isDebug ? '"npm run build:debug" in a checkout, or unset SLUICE_BUILD; otherwise, ' : '') +
      (failures.some((failure) => failure instanceof Mismatch)
        ? 'reinstall sluice, so that its binary and its lib are of one version; in its repository, "npm run build"; ' +
          'in a bundle, copy the binary of the version that was bundled.'
        : 'reinstall sluice without omitting files; if the platform has no prebuilt binary, clone the repository ' +
          'and run "npm install", which needs a C++20 compiler and Python; in a bundle, mark sluice as external so ' +
          'that its binary stays beside it.'),
    { cause: new AggregateError(failures) },
  );
}

export const native: Native = load();
