import { clearInterval, setInterval } from 'node:timers';
import { Weak } from '../memory.js';
import { DISPOSED, type NativeStock } from '../native/index.js';

/** Due reservations expire at the latest this long after their deadline, plus a pass over the table. */
const sweepIntervalMs = 100;
/** Places of the table looked at per pass, a cache line each. */
const sweepSlots = 65_536;

/** Sweeps until the ledger is disposed of or collected: the timer does not keep it. */
export function sweepRegularly(stock: NativeStock): NodeJS.Timeout {
  const reference = new Weak(stock);
  const timer = setInterval(() => {
    const alive = reference.deref();
    if (alive === undefined || alive.sweep(sweepSlots) === DISPOSED) clearInterval(timer);
  }, sweepIntervalMs);
  return timer.unref();
}
