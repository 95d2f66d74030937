import { Counter, Registry } from 'prom-client';
import { Queue, Stock } from 'sluice';
import { register } from 'sluice/metrics';
import { describe, expect, it } from 'vitest';
import { Order, order } from '../gate/order.js';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { shop } from './shop.js';

/** Returns the samples of a scrape, each `name{labels} value`. */
async function scrape(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

async function figures(registry: Registry, name: string): Promise<string[]> {
  return (await scrape(registry))
    .filter((line) => line.startsWith(name))
    .map((line) => line.slice(name.length));
}

describe('register', () => {
  it('exports the figures of a queue, a limiter, a stock and a gate', async () => {
    const { queue, limiter, stock, gate, sell } = shop();
    const registry = new Registry();
    register(registry, { queue, limiter, stock, gate, skus: [1] });
    await sell();
    expect(await scrape(registry)).toEqual(
      expect.arrayContaining([
        'sluice_queue_records_pushed_total 3',
        'sluice_queue_records_popped_total 1',
        'sluice_queue_records_lost_total{reason="full"} 0',
        'sluice_queue_records_lost_total{reason="expired"} 0',
        'sluice_queue_records_lost_total{reason="oldest"} 0',
        'sluice_queue_records_lost_total{reason="shed"} 0',
        'sluice_queue_records_lost_total{reason="waiters"} 0',
        'sluice_queue_depth_records 2',
        'sluice_queue_capacity_records 8',
        'sluice_queue_waiting_producers 0',
        'sluice_gate_admissions_total{outcome="admitted"} 3',
        'sluice_gate_admissions_total{outcome="rate-limited"} 1',
        'sluice_gate_admissions_total{outcome="sold-out"} 0',
        'sluice_gate_in_hand_orders 0',
        'sluice_gate_redelivered_total 0',
        'sluice_limiter_decisions_total{decision="allowed",tier="none"} 3',
        'sluice_limiter_decisions_total{decision="refused",tier="queue-depth"} 1',
        'sluice_limiter_in_flight 2',
        'sluice_stock_reservations_total{result="reserved"} 3',
        'sluice_stock_reservations_total{result="confirmed"} 1',
        'sluice_stock_units{item="1",state="available"} 7',
        'sluice_stock_units{item="1",state="reserved"} 2',
        'sluice_stock_units{item="1",state="sold"} 1',
      ]),
    );
  });

  it('describes each metric once, with its type', async () => {
    const registry = new Registry();
    register(registry, shopParts());
    const text = await registry.metrics();
    const names = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].map(([, name]) => name);
    expect(names.length).toBe(new Set(names).size);
    expect(text).toContain('# TYPE sluice_queue_wait_seconds histogram');
    expect(text.match(/^# HELP \S+ .+$/gm)).toHaveLength(names.length);
  });

  it('exports waits as a histogram that is exact at powers of two, and the quantiles of the last interval', async () => {
    const { queue, clock, sell } = shop();
    const registry = new Registry();
    register(registry, { queue });
    await sell(); // a wait of 2 ms
    clock.advance(8);
    queue.tryPop(); // and one of 10 ms
    const buckets = await figures(registry, 'sluice_queue_wait_seconds_bucket');
    expect(buckets).toHaveLength(22);
    const below = (ns: number) =>
      buckets.find((line) => line.startsWith(`{le="${ns / 1e9}"}`))?.split(' ')[1];
    expect([2 ** 20, 2 ** 21, 2 ** 23, 2 ** 24, 2 ** 34].map(below)).toEqual(['0', '1', '1', '2', '2']);
    expect(buckets.at(-1)).toBe('{le="+Inf"} 2');
    expect(await figures(registry, 'sluice_queue_wait_seconds_sum')).toEqual([' 0.012']);
    expect(await figures(registry, 'sluice_queue_wait_seconds_count')).toEqual([' 2']);
    const recent = await figures(registry, 'sluice_queue_wait_recent_seconds');
    expect(recent.map((line) => line.split(' ')[0])).toEqual(
      [0.5, 0.9, 0.99, 0.999].map((quantile) => `{quantile="${quantile}"}`),
    );
    expect(Math.abs(Number(recent[0]?.split(' ')[1]) / 0.002 - 1)).toBeLessThan(1 / 64);
  });

  it('exports no waits of a queue that measures none', async () => {
    const { queue } = shop({ latency: false });
    const registry = new Registry();
    register(registry, { queue });
    expect(await figures(registry, 'sluice_queue_wait_')).toEqual([]);
  });

  it('calls stats() of each object once in a scrape', async () => {
    const { queue, stock } = shop({ skus: 3 });
    const calls: string[] = [];
    for (const [name, object] of Object.entries({ queue, stock })) {
      const stats = object.stats.bind(object);
      const counted = () => {
        calls.push(name);
        return stats();
      };
      Object.assign(object, { stats: counted });
    }
    const registry = new Registry();
    register(registry, { queue, stock, skus: [1, 2, 3] });
    expect(calls).toEqual([]);
    await registry.metrics();
    expect(calls.sort()).toEqual(['queue', 'stock']);
    await new Promise((resolve) => setImmediate(resolve));
    await registry.getMetricsAsJSON();
    expect(calls).toHaveLength(4);
  });

  it('tells several queues apart by their labels, and counts on when one is removed', async () => {
    const queues = ['web', 'app'].map((shop) => ({ shop, queue: Queue.create(Order, { capacity: 4 }) }));
    const registry = new Registry();
    const ends = queues.map(({ shop, queue }) =>
      register(registry, { queue, labels: { shop, region: 'eu' } }),
    );
    queues[0]?.queue.tryPush(order(1));
    const name = 'sluice_queue_depth_records';
    expect(await figures(registry, name)).toEqual([
      '{shop="web",region="eu"} 1',
      '{shop="app",region="eu"} 0',
    ]);
    ends[0]?.();
    ends[0]?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await figures(registry, name)).toEqual(['{shop="app",region="eu"} 0']);
    ends[1]?.();
    expect(await scrape(registry)).toEqual([]);
    register(registry, { queue: queues[0]?.queue as Queue<unknown> });
    expect(await figures(registry, name)).toEqual([' 1']);
  });

  it('registers again in a registry that was cleared', async () => {
    const { queue, stock } = shop();
    const registry = new Registry();
    const first = register(registry, { queue });
    registry.clear();
    const second = register(registry, { queue, stock });
    first();
    expect(await figures(registry, 'sluice_queue_depth_records')).toEqual([' 3']);
    second();
    expect(await scrape(registry)).toEqual([]);
  });

  it('exports a closed queue, and not one that was disposed of', async () => {
    const { queue, stock } = shop();
    const registry = new Registry();
    register(registry, { queue, stock });
    queue.close();
    expect(await figures(registry, 'sluice_queue_depth_records')).toEqual([' 3']);
    queue[Symbol.dispose]();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await figures(registry, 'sluice_queue_depth_records')).toEqual([]);
    expect(await figures(registry, 'sluice_stock_reservations_total{result="reserved"}')).toEqual([' 3']);
    register(registry, { queue: Queue.create(Order, { capacity: 1 }) }); // the labels are free again
  });

  it('names 100 items, and adds the others up', async () => {
    const { stock } = shop({ skus: 150 });
    const registry = new Registry();
    const skus = Array.from({ length: 150 }, (_, i) => i + 1);
    register(registry, { stock, skus });
    const units = await figures(registry, 'sluice_stock_units');
    expect(units).toHaveLength(303);
    expect(units).toContain('{item="1",state="available"} 7');
    expect(units).toContain('{item="100",state="available"} 10');
    expect(units).toContain('{item="other",state="available"} 500');
  });

  it('escapes an item whose name would end its label', async () => {
    const sku = 'a"} 1\n\\x';
    const stock = Stock.create({ items: [{ sku, quantity: 5 }] });
    const registry = new Registry();
    register(registry, { stock, skus: [sku] });
    expect(await figures(registry, 'sluice_stock_units')).toContain(
      '{item="a\\"} 1\\n\\\\x",state="available"} 5',
    );
  });

  it('speaks OpenMetrics, too, and survives resetMetrics()', async () => {
    const registry = new Registry();
    registry.setContentType(mistyped(Registry.OPENMETRICS_CONTENT_TYPE));
    const end = register(registry, shopParts());
    registry.resetMetrics();
    const text = await registry.metrics();
    expect(text).toContain(
      '\n# TYPE sluice_queue_records_pushed counter\nsluice_queue_records_pushed_total 3\n',
    );
    expect(text).toContain('\nsluice_gate_admissions_total{outcome="admitted"} 3\n');
    end();
    expect(await scrape(registry)).toEqual([]);
  });
});

function shopParts() {
  const { queue, limiter, stock, gate } = shop();
  return { queue, limiter, stock, gate };
}

describe('register refuses', () => {
  const parts = shopParts();
  const bad: Array<[string, object, string, new (...given: never[]) => Error]> = [
    ['no object', {}, 'register: expected a queue, a limiter, a stock or a gate', TypeError],
    ['labels alone', { labels: { a: 'b' } }, 'register: expected a queue', TypeError],
    ['a misspelled option', { queues: parts.queue }, 'unknown option "queues"', TypeError],
    ['what is no queue', { queue: parts.stock }, 'register: queue: expected a queue', TypeError],
    [
      'what is no gate',
      { gate: Object.create(Object.getPrototypeOf(parts.gate)) },
      'register: gate',
      TypeError,
    ],
    ['labels that are no object', { queue: parts.queue, labels: 'shop' }, 'register: labels', TypeError],
    ['labels in a Map', { queue: parts.queue, labels: new Map([['a', 'b']]) }, 'register: labels', TypeError],
    ['a list of labels', { queue: parts.queue, labels: ['a'] }, 'register: labels', TypeError],
    ...['', '0a', 'a-b', '__name__', '__a', 'le', 'quantile', 'item', 'a"', 'é', 'a'.repeat(300)].map(
      (name): [string, object, string, typeof RangeError] => [
        `the label ${name.slice(0, 20)}`,
        { queue: parts.queue, labels: { [name]: 'x' } },
        'register: labels: name',
        RangeError,
      ],
    ),
    ['a label that is no text', { queue: parts.queue, labels: { a: 1 } }, 'register: labels.a', TypeError],
    ...['x'.repeat(257), 'a\nb', '\ud800', '\u0000', '\u0085'].map(
      (value): [string, object, string, typeof RangeError] => [
        `the value ${JSON.stringify(value.slice(0, 5))}`,
        { queue: parts.queue, labels: { a: value } },
        'register: labels.a',
        RangeError,
      ],
    ),
    [
      'too many labels',
      { queue: parts.queue, labels: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, ''])) },
      'register: labels: expected at most 16 labels, got 17',
      RangeError,
    ],
    ['skus without a stock', { queue: parts.queue, skus: [1] }, 'register: skus', TypeError],
    [
      'an unknown sku',
      { stock: parts.stock, skus: [1, 9] },
      'register: skus[1]: expected the sku of an item',
      RangeError,
    ],
    ['the same sku twice', { stock: parts.stock, skus: [1, 1] }, 'register: skus[1]', RangeError],
    ['a sku of another type', { stock: parts.stock, skus: [1, {}] }, 'register: skus[1]', TypeError],
    ['too many skus', { stock: parts.stock, skus: Array(1_001).fill(1) }, 'register: skus', RangeError],
    ['skus that are no list', { stock: parts.stock, skus: '1' }, 'register: skus', TypeError],
  ];
  it.each(bad)('%s', async (_, options, message, type) => {
    const registry = new Registry();
    const error = thrown(() => register(registry, mistyped(options)));
    expectError(error, 'ERR_SLUICE_OPTION', type);
    expect(error.message).toContain(message);
    expect(await scrape(registry)).toEqual([]);
  });

  it('two series with the same labels, and adds neither', async () => {
    const registry = new Registry();
    const { queue, stock } = parts;
    register(registry, { queue, labels: { a: '1', b: '2' } });
    const again = () => register(registry, { stock, queue, labels: { b: '2', a: '1' } });
    expectError(thrown(again), 'ERR_SLUICE_OPTION', RangeError);
    expect(await figures(registry, 'sluice_stock')).toEqual([]);
    register(registry, { stock, labels: { b: '2', a: '1' } });
  });

  it.each([undefined, null, {}, { registerMetric: () => {} }, 'registry'])(
    '%s in place of a registry',
    (registry) => {
      expectError(
        thrown(() => register(mistyped(registry), parts)),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    },
  );

  it('no metric of another program: the registry does, and nothing of sluice stays in it', async () => {
    const registry = new Registry();
    const { gate } = parts;
    new Counter({ name: 'sluice_gate_redelivered_total', help: 'Mine.', registers: [registry] });
    expect(() => register(registry, { gate })).toThrow(/already been registered/);
    expect(await scrape(registry)).toEqual(['sluice_gate_redelivered_total 0']);
  });
});
