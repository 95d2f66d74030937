/**
 * bottleneck: a scheduler of jobs with a reservoir, for one thread.
 *
 * It is set up as in its README for bursts: a `reservoir` that is refreshed every second, no `minTime` and no
 * `maxConcurrent`, which would delay jobs. It has no call that only decides and charges: `schedule` of a job that does
 * nothing is its cheapest call. Each step of a job goes through a store that yields to the event loop by a timer, so
 * one job takes milliseconds of little work. With many jobs in flight some of that waiting overlaps, so the cases have
 * one job in flight or many. Callbacks (`submit`) take the same path.
 */
import Bottleneck from 'bottleneck';
import { PLENTY } from '../../harness/repository-only/loads/limiter-load.js';

const job = async () => 1;

/**
 * @param {number} calls for each turn
 * @param {number} inFlight
 * @returns {import('../../harness/repository-only/caller.js').Case}
 */
function schedules(calls, inFlight) {
  return {
    open() {
      const limiter = new Bottleneck({
        reservoir: PLENTY,
        reservoirRefreshAmount: PLENTY,
        reservoirRefreshInterval: 1_000,
      });
      let allowed = 0;
      const count = (/** @type {number} */ one) => {
        allowed += one;
      };
      return {
        calls,
        async turn() {
          for (let i = 0; i < calls; i += inFlight) {
            await Promise.all(Array.from({ length: inFlight }, () => limiter.schedule(job).then(count)));
          }
        },
        check(made) {
          if (allowed !== made) throw new Error(`${made} calls, ${allowed} allowed`);
        },
        close: () => limiter.disconnect(),
      };
    },
  };
}

export const file = import.meta.url;

export const cases = {
  'schedule, one in flight': schedules(10, 1),
  'schedule, 50 in flight': schedules(50, 50),
};
