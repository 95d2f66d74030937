import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as immediate } from 'node:timers/promises';
import { Gate, type Hold, Limiter, Queue, Stock } from 'sluice';
import { afterEach, describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { until } from '../queue/until.js';
import { expectError, rejected, thrown } from '../thrown.js';
import { fields, Order, order } from './order.js';

function sale(orders: number) {
  const queue = Queue.create(Order, { capacity: 100 });
  const limiter = Limiter.create({ queueDepth: { max: 100 } });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }], maxReservations: 1_000 });
  const gate = Gate.create({ queue, limiter, stock, fields });
  for (let id = 0; id < orders; id++) gate.admit(order(id));
  return { queue, limiter, stock, gate };
}

/** Returns a promise, and the function that resolves it. */
function hanging() {
  let finish = (): void => {};
  const hangs = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return { hangs, finish: () => finish() };
}

/** Closes a gate's queue. Returns the orders that the gate still hands out, each with its deliveries. */
async function rest(gate: Gate<ReturnType<typeof order>>): Promise<Array<[number, number]>> {
  const seen: Array<[number, number]> = [];
  gate.queue.close();
  await gate.consume(({ id }, { deliveries }) => void seen.push([Number(id), deliveries]));
  return seen;
}

const failed: Array<{ order: { id: bigint }; error: Error }> = [];
const onFailed = (message: unknown): void => void failed.push(message as (typeof failed)[0]);
afterEach(() => {
  unsubscribe('sluice:gate:handler-failed', onFailed);
  failed.length = 0;
});

describe('a gate that is disposed of while a handler hangs', () => {
  it('is already disposed of when the listeners of its signals run', async () => {
    const { gate } = sale(2);
    const again: Array<Promise<unknown>> = [];
    let hold: Hold | undefined;
    const consumed = rejected(
      gate.consume(
        async (_, given) => {
          hold = given;
          await new Promise(() => {});
        },
        { graceMs: 0 },
      ),
    );
    await until(() => hold !== undefined);
    hold?.signal.addEventListener('abort', () => again.push(rejected(gate.consume(() => {}))));
    gate[Symbol.dispose]();
    expectError(await consumed, 'ERR_SLUICE_DISPOSED');
    expect(again).toHaveLength(1);
    expect(await again[0]).toMatchObject({ code: 'ERR_SLUICE_DISPOSED' });
  });

  it.each([1, 3])(
    'leaves all undecided orders to another gate object, at once (concurrency %i)',
    async (running) => {
      const { gate, stock, limiter } = sale(6);
      const hung = Gate.attach(Order, gate.handle);
      const { hangs, finish } = hanging();
      const holds: Hold[] = [];
      const signals: AbortSignal[] = [];
      const consumed = rejected(
        hung.consume(
          async ({ id }, hold) => {
            if (id === 0n) return;
            holds.push(hold);
            signals.push(hold.signal);
            await hangs;
          },
          { concurrency: running },
        ),
      );
      await until(() => holds.length === running);
      hung[Symbol.dispose]();
      expect(signals.map(({ aborted }) => aborted)).toEqual(Array(running).fill(true));
      expectError(signals[0]?.reason, 'ERR_SLUICE_DISPOSED');
      const started = Array.from({ length: running }, (_, i) => [1 + i, 2]);
      const mates = Array.from({ length: 5 - running }, (_, i) => [1 + running + i, 1]);
      expect(await rest(gate)).toEqual([...started, ...mates]);
      // A handler that returns late decides nothing.
      finish();
      expectError(await consumed, 'ERR_SLUICE_DISPOSED');
      expect(stock.stats()).toMatchObject({ confirmed: 6, cancelled: 0 });
      expect(limiter.stats().inFlight).toBe(0);
      expect(gate.stats().inHand).toBe(0);
    },
  );

  it('frees its queue object, too, for another loop, which the old one does not disturb', async () => {
    const { gate, queue } = sale(1);
    const { hangs, finish } = hanging();
    let started = 0;
    const other = Gate.attach(Order, gate.handle);
    const consumed = rejected(
      gate.consume(() => {
        started++;
        return hangs;
      }),
    );
    await until(() => started === 1);
    gate[Symbol.dispose]();
    const seen: bigint[] = [];
    const next = queue.consume((batch) => void seen.push(...batch.map(({ id }) => id)));
    finish();
    await consumed;
    expectError(await rejected(other.consume(() => {})), 'ERR_SLUICE_CONSUMER');
    for (let id = 1; id <= 3; id++) {
      other.admit(order(id));
      await until(() => seen.length === id);
    }
    queue.close();
    await next;
    expect(seen).toEqual([1n, 2n, 3n]);
  });
});

describe('a consumption that is aborted while a handler hangs', () => {
  it('ends after the grace, and its order and those behind it are handed out again', async () => {
    const { gate, stock } = sale(3);
    const reason = new Error('enough');
    const abort = new AbortController();
    const { hangs, finish } = hanging();
    let late: Hold | undefined;
    const consumed = rejected(
      gate.consume(
        async (_, hold) => {
          late = hold;
          await hangs;
        },
        { signal: abort.signal, graceMs: 1 },
      ),
    );
    await until(() => late !== undefined);
    expect(late?.signal.aborted).toBe(false);
    abort.abort(reason);
    expect(late?.signal.reason).toBe(reason);
    expect(await consumed).toBe(reason);
    const second = hanging();
    const seen: unknown[] = [];
    const next = gate.consume(async ({ id }, hold) => {
      seen.push([Number(id), hold.deliveries]);
      if (id === 0n) await second.hangs;
    });
    await until(() => seen.length === 1);
    // The first handler finishes only now, while the second one has the same order in hand in the same entry.
    finish();
    await immediate();
    expect(stock.stats()).toMatchObject({ confirmed: 0, cancelled: 0 });
    expectError(
      thrown(() => late?.confirm()),
      'ERR_SLUICE_CONSUMER',
    );
    expectError(
      thrown(() => late?.cancel()),
      'ERR_SLUICE_CONSUMER',
    );
    expect(late?.decided).toBe(false);
    expect(gate.stats().inHand).toBe(3);
    second.finish();
    gate.queue.close();
    await next;
    expect(seen).toEqual([
      [0, 2],
      [1, 1],
      [2, 1],
    ]);
    expect(stock.stats()).toMatchObject({ confirmed: 3, cancelled: 0 });
  });

  it('waits for handlers that end within the grace, whose orders are decided as usual', async () => {
    const { gate, stock } = sale(3);
    const abort = new AbortController();
    const consumed = rejected(
      gate.consume(
        ({ id }, { signal }) =>
          new Promise<void>((resolve, reject) => {
            signal.addEventListener('abort', () => setImmediate(id === 0n ? resolve : reject));
            if (id === 1n) abort.abort();
          }),
        { signal: abort.signal, concurrency: 2, graceMs: Infinity },
      ),
    );
    expect((await consumed).name).toBe('AbortError');
    expect(stock.stats()).toMatchObject({ confirmed: 1, cancelled: 1 });
    expect(await rest(gate)).toEqual([[2, 1]]);
  });

  it('gives a signal that has aborted already if the handler reads it late', async () => {
    const { gate } = sale(1);
    const abort = new AbortController();
    let aborted: unknown[] = [];
    await rejected(
      gate.consume(
        (_, hold) => {
          abort.abort('late');
          aborted = [hold.signal.aborted, hold.signal.reason];
        },
        { signal: abort.signal },
      ),
    );
    expect(aborted).toEqual([true, 'late']);
  });
});

describe('handlerTimeoutMs', () => {
  it.each([1, 2])(
    'fails the order of a handler that hangs, and goes on (concurrency %i)',
    async (concurrency) => {
      subscribe('sluice:gate:handler-failed', onFailed);
      const { gate, queue, stock, limiter } = sale(5);
      queue.close();
      const { hangs, finish } = hanging();
      const holds: Hold[] = [];
      const reasons: Array<{ code?: string }> = [];
      await gate.consume(
        async ({ id }, hold) => {
          if (id % 2n === 0n) return;
          holds.push(hold);
          hold.signal.addEventListener('abort', () => reasons.push(hold.signal.reason));
          await hangs;
        },
        { concurrency, handlerTimeoutMs: 5 },
      );
      expect(reasons.map(({ code }) => code)).toEqual(['ERR_SLUICE_TIMEOUT', 'ERR_SLUICE_TIMEOUT']);
      expect(failed.map(({ order: { id }, error }) => [id, error])).toEqual([
        [1n, reasons[0]],
        [3n, reasons[1]],
      ]);
      expect(stock.stats()).toMatchObject({ confirmed: 3, cancelled: 2 });
      expect([limiter.stats().inFlight, gate.stats().inHand]).toEqual([0, 0]);
      finish();
      await immediate();
      expect(holds.map((hold) => hold.confirm())).toEqual(['expired', 'expired']);
      expect(failed).toHaveLength(2);
    },
  );

  it('ignores what a handler throws after its time', async () => {
    subscribe('sluice:gate:handler-failed', onFailed);
    const { gate, queue } = sale(1);
    queue.close();
    let fail = (_: Error): void => {};
    const hangs = new Promise<void>((_, reject) => {
      fail = reject;
    });
    await gate.consume(() => hangs, { handlerTimeoutMs: 5 });
    fail(new Error('late'));
    await immediate();
    expect(failed.map(({ error }) => (error as { code?: string }).code)).toEqual(['ERR_SLUICE_TIMEOUT']);
  });

  it('lets a listener of the signal decide, and the decision stays', async () => {
    const { gate, queue, stock } = sale(1);
    queue.close();
    await gate.consume(
      (_, hold) => {
        hold.signal.addEventListener('abort', () => hold.confirm());
        return new Promise(() => {});
      },
      { handlerTimeoutMs: 5 },
    );
    expect(stock.stats()).toMatchObject({ confirmed: 1, cancelled: 0 });
  });

  it.each([
    [{ handlerTimeoutMs: 0 }, RangeError],
    [{ handlerTimeoutMs: '5' }, TypeError],
    [{ graceMs: -1 }, RangeError],
    [{ graceMs: null }, TypeError],
  ])('and graceMs are refused if they are no times: %o', async (options, kind) => {
    const { gate, queue } = sale(0);
    expectError(await rejected(gate.consume(() => {}, mistyped(options))), 'ERR_SLUICE_OPTION', kind);
    expectError(await rejected(queue.consume(() => {}, mistyped(options))), 'ERR_SLUICE_OPTION', kind);
  });
});
