/** What the addon answers in place of a result, and the typed errors that lib/ makes of it. */
import { isAnyArrayBuffer } from 'node:util/types';
import { optionError, SluiceError } from '../input/index.js';
import { answers, type Reason, threadsMax } from './contract.js';

/** What every hot function answers once its object is disposed of. */
export const DISPOSED: typeof answers.disposed = answers.disposed;

/** What a function answers that needed memory, or a file descriptor, which the system does not have. */
export const NO_RESOURCES: typeof answers.noResources = answers.noResources;

/** The object, or the typed error for what the addon said stood in the way of making or attaching `what`. */
export function made<T extends object>(what: string, answer: T | Reason): T {
  if (typeof answer === 'object') return answer;
  switch (answer) {
    case 'dead-handle':
      throw new SluiceError(
        'ERR_SLUICE_HANDLE',
        `${what}: the handle names nothing that is alive: it was disposed of, its threads have ended, or it comes ` +
          'from another process or another copy of sluice',
      );
    case 'bad-schema':
      throw new SluiceError(
        'ERR_SLUICE_SCHEMA',
        `${what}: the record differs from the one the queue was created with`,
      );
    case 'too-many-threads':
      throw new SluiceError(
        'ERR_SLUICE_THREADS',
        `${what}: ${threadsMax} threads have it attached already, which is the most`,
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
        `${what}: the snapshot is damaged: its checksum does not hold, or it contradicts itself`,
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

/** The error of a call that native code has answered with `DISPOSED` or `NO_RESOURCES`. */
export function failed(what: string, answer: number): SluiceError {
  if (answer !== NO_RESOURCES) return disposed(what);
  return new SluiceError('ERR_SLUICE_MEMORY', `${what}: the system has no memory or file descriptor to give`);
}

/** @throws SluiceError for a negative answer: nothing was done. */
export function checkDone(what: string, answer: number): void {
  if (answer < 0) throw failed(what, answer);
}

/** The result of a native call that answers an object, unless it is disposed of. */
export function alive<T>(what: string, answer: T | number): T {
  if (typeof answer === 'number') throw failed(what, answer);
  return ofThisRealm(answer);
}

/** Native code makes objects of the main realm, which are no plain objects to a program in a vm context. */
function ofThisRealm<T>(value: T): T {
  if (typeof value !== 'object' || value === null || isAnyArrayBuffer(value)) return value;
  if (Array.isArray(value)) return [...value].map((element) => ofThisRealm<unknown>(element)) as T;
  const copy: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) copy[name] = ofThisRealm(member);
  return copy as T;
}
