/** The answers that the addon returns in place of a result, and the typed errors that lib/ makes from them. */
import { isAnyArrayBuffer } from 'node:util/types';
import { optionError, SluiceError } from '../input/index.js';
import { answers, type Reason, threadsMax } from './contract.js';

/** The answer of a native function whose object was disposed of in this thread. */
export const DISPOSED: typeof answers.disposed = answers.disposed;

/** The answer of a function that needed memory or a file descriptor and did not get it from the system. */
export const NO_RESOURCES: typeof answers.noResources = answers.noResources;

/** Returns the object. Throws a typed error if the addon returned a reason why it could not make or attach `what`. */
export function made<T extends object>(what: string, answer: T | Reason): T {
  if (typeof answer === 'object') return answer;
  switch (answer) {
    case 'dead-handle':
      throw new SluiceError(
        'ERR_SLUICE_HANDLE',
        `${what}: the handle names no live object: that object was disposed of, its threads have ended, or the ` +
          'handle comes from another process or another copy of sluice',
      );
    case 'bad-schema':
      throw new SluiceError(
        'ERR_SLUICE_SCHEMA',
        `${what}: the record differs from the one it was created with`,
      );
    case 'bad-version':
    case 'bad-layout':
      throw new SluiceError(
        'ERR_SLUICE_LAYOUT',
        `${what}: the shared memory was laid out by another version of sluice (${answer}). What to do: install one ` +
          'version of sluice for all programs that share it, restart them, and create it again',
      );
    case 'bad-magic':
    case 'bad-kind':
    case 'too-small':
    case 'misaligned':
      throw new SluiceError(
        'ERR_SLUICE_HANDLE',
        `${what}: the shared memory that the handle names is damaged, or that of another object (${answer})`,
      );
    case 'too-many-threads':
      throw new SluiceError(
        'ERR_SLUICE_THREADS',
        `${what}: ${threadsMax} threads have it attached already, which is the maximum`,
      );
    case 'no-memory':
      throw failed(what, NO_RESOURCES);
    case 'queue-gated':
      throw new SluiceError('ERR_SLUICE_GATED', `${what}: another gate feeds this queue already`);
    case 'clocks-differ':
      throw optionError(what, 'a queue, limiter and stock with the same clock', 'different clocks', true);
    case 'no-snapshot':
      throw new SluiceError('ERR_SLUICE_SNAPSHOT', `${what}: not a snapshot of a Stock`);
    case 'snapshot-version':
      throw new SluiceError('ERR_SLUICE_SNAPSHOT', `${what}: a snapshot of another version of sluice`);
    case 'snapshot-damaged':
      throw new SluiceError(
        'ERR_SLUICE_SNAPSHOT',
        `${what}: the snapshot is damaged: its checksum does not match, or it contradicts itself`,
      );
    case 'disposed':
      throw disposed(what);
    default:
      throw new SluiceError('ERR_SLUICE_HANDLE', `${what}: refused by the addon: ${answer}`);
  }
}

export function disposed(what: string): SluiceError {
  return new SluiceError('ERR_SLUICE_DISPOSED', `${what}: already disposed of in this thread`);
}

/** Makes the error of a call that native code has answered with `DISPOSED` or `NO_RESOURCES`. */
export function failed(what: string, answer: number): SluiceError {
  if (answer !== NO_RESOURCES) return disposed(what);
  return new SluiceError('ERR_SLUICE_MEMORY', `${what}: the system has no memory or file descriptor left`);
}

/**
 * Returns `answer`, which a native call has given. @throws SluiceError if it is `DISPOSED` or `NO_RESOURCES`: then the
 * call has changed nothing.
 */
export function checkedAnswer(what: string, answer: number): number {
  if (answer === DISPOSED || answer === NO_RESOURCES) throw failed(what, answer);
  return answer;
}

/**
 * Returns the object that a native call returned, as ofThisRealm() copies it. Throws if the call returned a number, the
 * reason why it failed.
 */
export function alive<T>(what: string, answer: T | number): T {
  if (typeof answer === 'number') throw failed(what, answer);
  return ofThisRealm(answer);
}

/**
 * Copies `value` into this realm, unless it is an ArrayBuffer. Native code makes objects of the main realm, which are
 * not plain objects to a program in a vm context.
 */
function ofThisRealm<T>(value: T): T {
  if (typeof value !== 'object' || value === null || isAnyArrayBuffer(value)) return value;
  if (Array.isArray(value)) return [...value].map((element) => ofThisRealm<unknown>(element)) as T;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) copy[name] = ofThisRealm(member);
  return copy as T;
}
