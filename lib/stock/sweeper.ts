import { clearInterval, setImmediate, setInterval } from 'node:timers';
import { DISPOSED, type NativeStock, Weak } from '../binding/index.js';

/** The interval at which each thread expires the reservations that are due, in milliseconds. */
const sweepIntervalMs = 100;
/**
 * The most places of the table that one pass looks at. Each is a cache line, so a pass takes up to about two
 * milliseconds. The rest waits for the next turn of the event loop.
 */
const sweepSlots = 16_384;

/** Sweeps until the ledger object is disposed of or garbage-collected: the timer does not keep it alive. */
export function sweepRegularly(stock: NativeStock): NodeJS.Timeout {
  const reference = new Weak(stock);
  let goesOn = false;
  const sweep = (): void => {
    const left = reference.deref()?.sweep(sweepSlots) ?? DISPOSED;
    if (left === DISPOSED) clearInterval(timer);
    if (left !== 1 || goesOn) return;
    goesOn = true;
    setImmediate(() => {
      goesOn = false;
      sweep();
    }).unref();
  };
  const timer = setInterval(sweep, sweepIntervalMs);
  return timer.unref();
}
