import { Options, optionError } from '../input/index.js';
import { type Key, keyError, takesKey } from './key.js';
import { costMax } from './options.js';

/** The options of `Limiter.tryAcquire` and `Limiter.peek`. */
export interface TryAcquireOptions {
  /** The key whose limit applies. Needed if the limiter has keys, and only then. */
  readonly key?: Key | undefined;
  /**
   * How much the request takes: 0 to 2^32 - 1. A cost of 0 charges nothing, and only a block or an overload refuses it.
   * Default: 1.
   */
  readonly cost?: number | undefined;
}

/** The options of `Limiter.acquire`. */
export interface AcquireOptions extends TryAcquireOptions {
  /** The longest wait, in milliseconds: 0 to 1,000,000,000,000. Default: no end. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait, which then rejects with the signal's reason. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** The checked options of a call of `acquire`. */
interface WaitRequest {
  readonly key: Key | undefined;
  readonly cost: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Returns the checked options of a call. `where` names its method; `keyed`: whether the limiter has keys. */
export function checkedRequest(
  where: string,
  options: TryAcquireOptions | undefined,
  keyed: boolean,
): Pick<WaitRequest, 'key' | 'cost'> {
  let key: unknown;
  let cost = 1;
  if (options !== undefined) {
    const given = new Options(where, options, ['key', 'cost']);
    key = given.get('key');
    cost = given.integer('cost', 0, costMax, 1);
  }
  checkCharge(where, keyed, key, cost, 'cost');
  return { key, cost };
}

/** Returns the checked options of `Limiter.acquire`. */
export function checkedWaitRequest(options: AcquireOptions | undefined, keyed: boolean): WaitRequest {
  const given = new Options('Limiter.acquire', options, ['key', 'cost', 'timeoutMs', 'signal']);
  const key = given.get('key');
  const cost = given.integer('cost', 0, costMax, 1);
  const timeoutMs = given.has('timeoutMs') ? given.number('timeoutMs', 0, 1e12) : Infinity;
  const signal = given.signal();
  checkCharge('Limiter.acquire', keyed, key, cost, 'cost');
  return { key, cost, timeoutMs, signal };
}

/** Checks the key and the amount, named `name`, of a call. Allocates nothing unless it throws. */
export function checkCharge(
  where: string,
  keyed: boolean,
  key: unknown,
  amount: unknown,
  name: string,
): asserts key is Key | undefined {
  if (!takesKey(key, keyed)) throw keyError(`${where}: key`, key, keyed, 'this limiter');
  if (typeof amount === 'number' && amount >>> 0 === amount) return;
  const expected = `a whole number from 0 to ${costMax}`;
  throw optionError(`${where}: ${name}`, expected, amount, typeof amount !== 'number');
}
