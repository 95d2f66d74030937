/** What the commands of loops that consume share. */
import { setImmediate as immediate } from 'node:timers/promises';
import { expect } from 'vitest';
import { expectError, rejected } from '../../thrown.js';
import type { Model } from './model.js';
import type { Real } from './real.js';

/** Turns of the event loop after which a loop that consumes must have got everything. */
const turnsMax = 1_000;

/**
 * Checks that a consuming loop of object `who` sees what the model `expected`, and ends when the queue is drained, or
 * else when its signal aborts. If the object may not consume, checks that the loop has failed.
 */
export async function endsWith(
  expected: () => number[],
  seen: number[],
  loop: {
    readonly model: Model;
    readonly real: Real;
    readonly who: number;
    readonly consuming: Promise<void>;
    readonly controller: AbortController;
  },
): Promise<void> {
  const { model, real, who, consuming, controller } = loop;
  if (model.consumer !== undefined && model.consumer !== who) {
    expectError(await rejected(consuming), 'ERR_SLUICE_CONSUMER');
    return;
  }
  model.consumer = who;
  const all = expected();
  if (model.drained) await consuming;
  else {
    const ended = rejected(consuming);
    // The turns are bounded, so that the comparison below fails if a record does not come.
    const isBehind = () => {
      const { expired, dropped } = real.object(who).stats();
      return seen.length < all.length || expired + dropped < model.counts.expired + model.counts.dropped;
    };
    for (let turn = 0; turn < turnsMax && isBehind(); turn++) await immediate();
    controller.abort();
    expect((await ended).name).toBe('AbortError');
  }
  expect(seen).toEqual(all);
  model.consumer = undefined;
}
