/** Options that limit() refuses when it makes the middleware. */
import { Limiter } from 'sluice';
import { limit } from 'sluice/http';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';

const limiter = Limiter.create({ queueDepth: { max: 1 } });
const keyed = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 5 } });
const choice = { limiter: () => keyed };
const block = { afterRefusals: 1, withinMs: 1, forMs: 1 };

describe('limit refuses', () => {
  it.each([
    ['limiter', { limiter: {} }, TypeError],
    ['plans', { limiter: keyed, plans: [keyed, limiter] }, TypeError],
    ['plans', { ...choice, plans: 2 }, TypeError],
    ['plans', { ...choice, plans: [keyed] }, RangeError],
    ['plans', { ...choice, plans: [keyed, keyed] }, RangeError],
    ['plans', { ...choice, plans: [keyed, limiter] }, RangeError],
    ['plans', { ...choice, plans: [keyed, {}] }, RangeError],
    ['refuse', { limiter, refuse: 'no' }, TypeError],
    ['onRefused', { limiter, onRefused: 1 }, TypeError],
    ['count', { limiter, count: 'none' }, RangeError],
    ['count', { limiter, count: 1 }, TypeError],
    ['finalCost', { limiter, finalCost: 1 }, TypeError],
    ['delay', { limiter, delay: 100 }, TypeError],
    ['delay: maxMs', { limiter, delay: {} }, TypeError],
    ['delay: maxMs', { limiter, delay: { maxMs: 0 } }, RangeError],
    ['delay: unknown option "ms"', { limiter, delay: { maxMs: 1, ms: 1 } }, TypeError],
    ['block', { limiter, block }, TypeError],
    ['block', { limiter: keyed, block: true }, TypeError],
    ['block: afterRefusals', { limiter: keyed, block: { ...block, afterRefusals: 0 } }, RangeError],
    ['block: withinMs', { limiter: keyed, block: { ...block, withinMs: 'x' } }, TypeError],
    ['block: forMs', { limiter: keyed, block: { ...block, forMs: 1e9 } }, RangeError],
    ['block: maxKeys', { limiter: keyed, block: { ...block, maxKeys: 0.5 } }, RangeError],
    ['block: unknown option "for"', { limiter: keyed, block: { ...block, for: 1 } }, TypeError],
  ])('a bad option by its name: %s', (name, options, kind) => {
    const error = thrown(() => limit(mistyped(options)));
    expectError(error, 'ERR_SLUICE_OPTION', kind);
    expect(error.message).toContain(`limit: ${name}`);
  });
});
