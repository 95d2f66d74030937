// @ts-check
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { runQueueOfThisThread } from './run-queue.js';

/**
 * @typedef {object} LoopFigures
 * @property {number} delayMs                 the 99.9th percentile of the event loop's delay
 * @property {number | null} processorWaitMs  how long the thread waited for a processor; null: not known
 */

/**
 * Watches the event loop of this thread, from now on.
 * @returns {() => LoopFigures} ends the watch
 */
export function watchLoop() {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  const waited = runQueueOfThisThread();
  const before = waited?.() ?? 0;
  delays.enable();
  return () => {
    delays.disable();
    return {
      // An interval of the watch is 1 ms long; what it took longer is the delay.
      delayMs: Math.max(0, delays.percentile(99.9) / 1e6 - 1),
      processorWaitMs: waited === undefined ? null : waited() - before,
    };
  };
}
