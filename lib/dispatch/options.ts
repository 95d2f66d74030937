import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { pathToFileURL, URL } from 'node:url';
import type { ResourceLimits } from 'node:worker_threads';
import { type Backoff, type BackoffOptions, checkedBackoff } from '../backoff.js';
import { copiedList, isInteger, Options, optionError } from '../input/index.js';
import { burier, type DeadLetter, type DeadLetters } from './dead-letters.js';
import type { Source } from './source.js';

/** The options of `dispatch`. */
export interface DispatchOptions<T> {
  /** How many worker threads: 1 to 64, or 'auto' for one less than the machine has processors, and at least one. */
  readonly workers: number | 'auto';
  /**
   * The module with the handler, which each worker imports: a URL, or an absolute path. Its default export is the
   * handler, `(order, hold) => {}`. It may export `setup(data)`, which is called before the first order, and
   * `teardown()`, which is called after the last; both may be async.
   */
  readonly handler: URL | string;
  /**
   * Takes the orders that failed too often: see `DeadLetters`. It is needed, so that no order is dropped silently.
   */
  readonly deadLetters: DeadLetters<T>;
  /**
   * Returns the key of an order: a number, a bigint or a string. Orders of one key are handled one after the other, in
   * their order. Absent: orders are handled in any order. It must not change the order.
   */
  readonly by?: ((order: T) => number | bigint | string) | undefined;
  /** The most handlers that run at the same time in one worker: 1 to 1,024. Default: 1. */
  readonly concurrency?: number | undefined;
  /**
   * The most orders that the crew has taken and not finished, those that wait for another attempt included. Default:
   * the gate's `maxInHand`, which is also the most; for a queue 1,024, and at most 65,536.
   */
  readonly maxInHand?: number | undefined;
  /** How often, and when, an order that failed is handed out again. */
  readonly retries?:
    | {
        /** The most times that an order is handed out again: 0 to 1,000,000. Default: 5. */
        readonly max?: number | undefined;
        /** How long an order waits after each failure. */
        readonly backoff?: BackoffOptions | undefined;
      }
    | undefined;
  /**
   * How long a handler may take, in milliseconds: 1 to 2,147,483,647. Default: no limit. A handler that takes longer
   * has failed, and `hold.signal` aborts; a worker that does not say so within another second is replaced.
   */
  readonly handlerTimeoutMs?: number | undefined;
  /** Numbers of processors. Worker i runs on `cpus[i % cpus.length]` only. Linux; elsewhere see `CrewStats.pinning`. */
  readonly cpus?: readonly number[] | undefined;
  /** Given to the handler module's `setup`. It is copied by structured clone. */
  readonly data?: unknown;
  /**
   * The limits of each worker's memory, as for `new Worker`. A worker that exceeds them ends, and is replaced.
   * `maxOldGenerationSizeMb` is at least 16, `stackSizeMb` at least 0.5: with less, no worker can start.
   */
  readonly resourceLimits?: ResourceLimits | undefined;
}

const workersMax = 64;
const retriesMax = 1_000_000;
const msMax = 2_147_483_647;
const cpusMax = 1_024;
const inHandDefault = 1_024;
/**
 * The least that each limit of a worker may be, in MiB. Below 3 MiB of heap, or about 0.3 MiB of stack, V8 fails while
 * it starts the worker, and some releases of Node.js end the whole process with it; up to 8 MiB no worker starts.
 */
const limitMin = {
  maxYoungGenerationSizeMb: 0.001,
  maxOldGenerationSizeMb: 16,
  codeRangeSizeMb: 0.001,
  stackSizeMb: 0.5,
};

export interface Checked<T> {
  readonly workers: number;
  readonly handler: string;
  readonly bury: (letter: DeadLetter<T>) => Promise<void>;
  readonly by: ((order: T) => unknown) | undefined;
  readonly concurrency: number;
  readonly maxInHand: number;
  readonly retriesMax: number;
  readonly backoff: Backoff;
  readonly handlerTimeoutMs: number | undefined;
  readonly cpus: readonly number[];
  readonly data: unknown;
  readonly resourceLimits: ResourceLimits | undefined;
}

const where = 'dispatch';

export function checkedDispatch<T>(source: Source<T>, options: unknown): Checked<T> {
  const known = ['workers', 'handler', 'deadLetters', 'by', 'concurrency', 'maxInHand', 'retries'];
  const more = ['handlerTimeoutMs', 'cpus', 'data', 'resourceLimits'];
  const given = new Options(where, options, [...known, ...more]);
  const retries = given.nested('retries', ['max', 'backoff']);
  return {
    workers:
      given.get('workers') === 'auto'
        ? Math.min(workersMax, Math.max(1, availableParallelism() - 1))
        : checkedWorkers(given),
    handler: checkedModule(given.get('handler')),
    bury: burier(`${where}: deadLetters`, given.get('deadLetters')),
    by: given.callback<(order: T) => unknown>('by'),
    concurrency: given.integer('concurrency', 1, 1_024, 1),
    maxInHand: given.integer('maxInHand', 1, source.maxInHand, Math.min(source.maxInHand, inHandDefault)),
    retriesMax: retries?.integer('max', 0, retriesMax, 5) ?? 5,
    backoff: checkedBackoff(retries),
    handlerTimeoutMs: given.has('handlerTimeoutMs') ? given.number('handlerTimeoutMs', 1, msMax) : undefined,
    cpus: checkedCpus(given.get('cpus')),
    data: given.get('data'),
    resourceLimits: checkedLimits(given),
  };
}

function checkedWorkers(given: Options): number {
  const workers = given.get('workers');
  if (typeof workers === 'number') return given.integer('workers', 1, workersMax);
  throw optionError(`${where}: workers`, `a whole number from 1 to ${workersMax}, or 'auto'`, workers, true);
}

function checkedModule(handler: unknown): string {
  if (handler instanceof URL) return handler.href;
  if (typeof handler === 'string') {
    if (isAbsolute(handler)) return pathToFileURL(handler).href;
    if (handler.startsWith('file:') && URL.canParse(handler)) return handler;
  }
  const expected = 'the URL or the absolute path of a module';
  throw optionError(`${where}: handler`, expected, handler, typeof handler !== 'string');
}

function checkedCpus(cpus: unknown): readonly number[] {
  if (cpus === undefined) return [];
  const copied = copiedList(cpus, 1, cpusMax);
  const isCpu = (cpu: unknown): cpu is number =>
    isInteger(cpu) && (cpu as number) >= 0 && (cpu as number) < cpusMax;
  if (copied?.every(isCpu)) return copied;
  const expected = `a list of processors, each a whole number from 0 to ${cpusMax - 1}`;
  throw optionError(`${where}: cpus`, expected, cpus, true);
}

function checkedLimits(given: Options): ResourceLimits | undefined {
  const names = Object.keys(limitMin) as Array<keyof typeof limitMin>;
  const limits = given.nested('resourceLimits', names);
  if (limits === undefined) return undefined;
  const set = names.filter((name) => limits.has(name));
  return Object.fromEntries(set.map((name) => [name, limits.number(name, limitMin[name], 1_048_576)]));
}

/** The options of `Crew.close`. */
export interface CloseOptions {
  /** How long to wait for the handlers that run, in milliseconds: 0 to 2,147,483,647. Default: 10,000. */
  readonly timeoutMs?: number | undefined;
}

export function checkedClose(options: unknown): number {
  return new Options('Crew.close', options, ['timeoutMs']).number('timeoutMs', 0, msMax, 10_000);
}
