import { Gate, Limiter, ManualClock, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

/** Opens a gate. By default its limiter, its queue and the tables of its stock have room for 100 orders or more. */
function open(
  options: {
    bucket?: number;
    window?: number;
    depth?: number;
    capacity?: number;
    maxReservations?: number;
    maxUsers?: number;
    maxIds?: number;
  } = {},
) {
  const clock = new ManualClock(1_000);
  const queue = Queue.create(Order, { capacity: options.capacity ?? 100, clock });
  const limiter = Limiter.create({
    tokenBucket: { ratePerSecond: 1e-6, burst: options.bucket ?? 150 },
    slidingWindow: { limit: options.window ?? 100, windowMs: 60_000 },
    queueDepth: { max: options.depth ?? 120 },
    clock,
  });
  const stock = Stock.create({
    items: [
      { sku: 1, quantity: 100, perUser: 50 },
      { sku: 2, quantity: 2 },
      { sku: 3, quantity: 100, perUser: 1 },
    ],
    maxReservations: options.maxReservations ?? 100,
    maxUsers: options.maxUsers ?? 100,
    maxIds: options.maxIds ?? 100,
    clock,
  });
  const gate = Gate.create({ queue, limiter, stock, fields });
  /** Returns figures of the limiter, the queue and the stock that an admission changes. */
  const state = () => {
    const { refused: _refused, ...limits } = limiter.stats();
    const { depth, pushed, popped } = queue.stats();
    return {
      limits,
      queue: { depth, pushed, popped },
      counts: [1, 2, 3].map((sku) => stock.counts(sku)),
      held: stock.audit().held,
      reserved: stock.stats().reserved,
    };
  };
  return { clock, queue, limiter, stock, gate, state };
}

type Open = ReturnType<typeof open>;

/** For each refusal: a function that prepares a gate, and an order that the gate refuses. */
const refusals: Array<[string, () => Open, ReturnType<typeof order>]> = [
  ['sold-out', () => open(), order(900, { sku: 2, quantity: 3 })],
  ['unknown-sku', () => open(), order(900, { sku: 77 })],
  [
    'user-limit',
    () => {
      const one = open();
      one.gate.admit(order(1, { sku: 3, user: 5 }));
      return one;
    },
    order(900, { sku: 3, user: 5 }),
  ],
  ['queue-full', () => filled({ capacity: 3 }), order(900)],
  [
    'closed',
    () => {
      const one = filled({});
      one.queue.close();
      return one;
    },
    order(900),
  ],
  ['ledger-full', () => filled({ maxReservations: 3 }), order(900)],
  ['users-full', () => filled({ maxUsers: 3 }), order(900, { user: 99 })],
  [
    'ids-full',
    () => {
      const one = open({ maxIds: 1 });
      for (let id = 0; id < 34; id++) one.gate.admit(order(id));
      return one;
    },
    order(900),
  ],
  ['id-mismatch', () => filled({}), order(1, { quantity: 9 })],
  [
    'already-failed',
    () => {
      const one = filled({});
      one.gate.admit(order(900, { sku: 2, quantity: 3 }));
      return one;
    },
    order(900, { sku: 2, quantity: 3 }),
  ],
  ['rate-limited', () => filled({ bucket: 3 }), order(900)],
  ['rate-limited', () => filled({ window: 3 }), order(900)],
  ['rate-limited', () => filled({ depth: 3 }), order(900)],
];

function filled(options: Parameters<typeof open>[0]): Open {
  const one = open(options);
  for (let i = 0; i < 3; i++)
    expect(one.gate.admit(order(i, { user: i }))).toMatchObject({ outcome: 'admitted' });
  return one;
}

/**
 * Makes requests until the limiter refuses one. Returns how many it allowed, which tier refused, and how many are in
 * flight: first now, and then once the window is over and nothing is in flight.
 */
function room({ limiter, clock }: Open): unknown[] {
  const seen: unknown[] = [];
  for (let time = 0; time < 2; time++) {
    let allowed = 0;
    while (limiter.allow()) allowed++;
    const refusal = limiter.tryAcquire();
    const { inFlight } = limiter.stats();
    seen.push(allowed, refusal.allowed || refusal.tier, inFlight);
    if (inFlight > 0) limiter.release(inFlight);
    clock.advance(70_000);
  }
  return seen;
}

describe('an order that is refused', () => {
  it.each(refusals)('as %s changes nothing, however often it comes (%#)', (outcome, make, refused) => {
    const { gate, state } = make();
    const before = state();
    const first = gate.admit(refused);
    expect(first.outcome).toBe(outcome);
    expect(state()).toEqual(before);
    for (let i = 0; i < 200; i++) {
      const { outcome: again } = gate.admit(refused);
      // The stock remembers that it refused an id as 'sold-out' or 'user-limit'. Other refusals are decided again.
      expect(again).toBe(['sold-out', 'user-limit'].includes(outcome) ? 'already-failed' : outcome);
    }
    expect(state()).toEqual(before);
  });

  it.each(refusals)('as %s leaves each tier of the limiter all that it had (%#)', (_, make, refused) => {
    const [asked, spared] = [make(), make()];
    for (let i = 0; i < 200; i++) asked.gate.admit(refused);
    expect(room(asked)).toEqual(room(spared));
  });

  it.each(['bucket', 'window', 'depth'] as const)(
    'by the tier %s gets the time after which to come again',
    (tier) => {
      const { gate, limiter } = filled({ [tier]: 3 });
      const refused = gate.admit(order(900));
      expect(refused).toEqual({
        outcome: 'rate-limited',
        tier: expect.any(String),
        retryAfterMs: expect.any(Number),
        ...(tier === 'window' && { window: 0 }),
      });
      const asked = limiter.tryAcquire();
      if (asked.allowed || refused.outcome !== 'rate-limited') throw new Error('allowed');
      expect([refused.tier, refused.retryAfterMs]).toEqual([asked.tier, asked.retryAfterMs]);
    },
  );
});

describe('an id that was admitted', () => {
  it('is admitted again with the same reservation: charged, reserved and queued once', () => {
    const { gate, queue, limiter, state } = open();
    const first = gate.admit(order(7, { quantity: 2 }));
    const before = state();
    for (let i = 0; i < 300; i++) {
      expect(gate.admit(order(7, { quantity: 2 }))).toEqual({ ...first, duplicate: true });
    }
    expect(state()).toEqual(before);
    expect(limiter.stats()).toMatchObject({ allowed: 1, inFlight: 1 });
    expect(queue.popMany(10)).toHaveLength(1);
    expect(gate.stats()).toMatchObject({ admitted: 1, duplicates: 300 });
  });

  it('is a duplicate also when its item is sold out by now', () => {
    const { gate } = open();
    const first = gate.admit(order(7, { sku: 2, quantity: 2 }));
    expect(gate.admit(order(8, { sku: 2 }))).toEqual({ outcome: 'sold-out' });
    expect(gate.admit(order(7, { sku: 2, quantity: 2 }))).toEqual({ ...first, duplicate: true });
  });

  it('may have been refused before, if the queue was full then', () => {
    const { gate, queue } = filled({ capacity: 3 });
    for (let i = 0; i < 3; i++) expect(gate.admit(order(900))).toEqual({ outcome: 'queue-full' });
    queue.tryPop();
    expect(gate.admit(order(900))).toMatchObject({ outcome: 'admitted', duplicate: false });
  });
});

describe('orders', () => {
  it('are queued in the order of their admission, at the exact capacity', () => {
    const { gate, queue } = open({ capacity: 20 });
    let id = 0;
    for (let round = 0; round < 4; round++) {
      let admitted = 0;
      while (gate.admit(order(id, { user: id % 40 })).outcome === 'admitted') {
        id++;
        admitted++;
      }
      expect(admitted).toBe(20);
      const ids = queue.popMany(100).map((taken) => Number(taken.id));
      expect(ids).toEqual(ids.map((_, i) => id - 20 + i));
    }
  });
});
