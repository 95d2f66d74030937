import { missingOption } from '../../gate/index.js';
import { optionError } from '../../input/index.js';
import { type Decision, holdsDepth, type Key, Limiter, takesKey } from '../../limiter/index.js';
import { type RedisDecision, type RedisDenied, RedisLimiter } from '../limiter/index.js';

/** How a gate charges its limiter. */
export interface Charging {
  /** Undefined: there is no limiter. */
  readonly keyed: boolean | undefined;
  /** Returns a refusal that is known without asking a server, and charges nothing. */
  known(key: Key | undefined): RedisDenied | undefined;
  /** Charges one order. Undefined: there is no limiter. */
  charge(key: Key | undefined): Decision | Promise<RedisDecision> | undefined;
}

const none: Charging = { keyed: undefined, known: () => undefined, charge: () => undefined };

/** @throws TypeError (`ERR_SLUICE_OPTION`) for a limiter that cannot be a gate's. */
export function chargingOf(where: string, limiter: unknown): Charging {
  if (limiter === undefined) return none;
  if (limiter instanceof RedisLimiter) {
    return {
      keyed: limiter.keyed,
      known: (key) => limiter.refusal(key),
      charge: (key) => (key === undefined ? limiter.tryAcquire() : limiter.tryAcquire({ key })),
    };
  }
  if (!(limiter instanceof Limiter)) {
    throw optionError(`${where}: limiter`, 'a Limiter or a RedisLimiter', limiter, true);
  }
  if (holdsDepth(limiter)) {
    const expected = 'a limiter without queueDepth: the orders are decided by other processes';
    throw optionError(`${where}: limiter`, expected, limiter, true);
  }
  return {
    keyed: limiter.keyed,
    // A limiter of this process decides about an order without a call anyway.
    known: () => undefined,
    charge: (key) => (key === undefined ? limiter.tryAcquire() : limiter.tryAcquire({ key })),
  };
}

/** Checks the option `key` of an order. @throws TypeError, RangeError (`ERR_SLUICE_OPTION`). */
export function checkedKey(where: string, key: unknown, { keyed }: Charging): Key | undefined {
  if (takesKey(key, keyed === true)) return key;
  throw missingOption(where, 'key', key, keyed);
}
