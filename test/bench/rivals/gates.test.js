import { describe, expect, it } from 'vitest';
import { ordersToPlace, settings } from '../../../bench/harness/repository-only/loads/gate-load.js';
import { startRedis, whyNoRedis } from '../../../bench/rivals/gates/redis-server.js';

// A gate that oversells is faster than one that does not. So the benchmark must not compare sluice with one that
// oversells.
const crowd = ordersToPlace().slice(0, 200);
const STOCK = 10;

describe('the gate made of packages', () => {
  it('sells no more than there is to a crowd that asks at once, and gives back what it charged in vain', async () => {
    const { JsGate } = await import('../../../bench/rivals/gates/js-gate.js');
    const gate = new JsGate({ ...settings.admitted, stock: STOCK, perSecond: 1_000, atOnce: 250 });
    const answers = await Promise.all(crowd.map((order) => gate.admit(order)));
    expect(answers.filter((answer) => answer === 'admitted')).toHaveLength(STOCK);
    expect(answers.filter((answer) => answer === 'sold-out')).toHaveLength(crowd.length - STOCK);
    gate.drain();
    expect(gate.sold).toBe(STOCK);
    expect(await gate.charged()).toBe(STOCK);
  });

  it('takes no more than its queue holds from a crowd that asks at once', async () => {
    const { JsGate } = await import('../../../bench/rivals/gates/js-gate.js');
    const gate = new JsGate({ ...settings.admitted, capacity: STOCK });
    const answers = await Promise.all(crowd.map((order) => gate.admit(order)));
    expect(answers.filter((answer) => answer === 'admitted')).toHaveLength(STOCK);
    expect(answers.filter((answer) => answer === 'queue-full')).toHaveLength(crowd.length - STOCK);
  });
});

describe.skipIf(whyNoRedis() !== undefined)('Redis', () => {
  it('sells no more than there is to a crowd that asks at once, and queues what it sold', async () => {
    const { connect, STOCK: stockKey, STREAM } = await import('../../../bench/rivals/gates/redis.js');
    const server = await startRedis();
    try {
      const redis = await connect(server.port, STOCK);
      const answers = await Promise.all(
        crowd.map(({ quantity, orderId, user, sku }) =>
          redis.admit(stockKey, STREAM, quantity, orderId, user, sku),
        ),
      );
      expect(answers.filter((answer) => answer === 1)).toHaveLength(STOCK);
      expect(await redis.get(stockKey)).toBe('0');
      expect(await redis.xlen(STREAM)).toBe(STOCK);
      await redis.quit();
    } finally {
      await server.stop();
    }
  });
});
