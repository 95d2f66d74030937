import { listed } from './auditor/limiter.js';
import type { GateScenario } from './drivers/gate.js';
import { gateOperations } from './drivers/gate-operations.js';
import type { LimiterScenario } from './drivers/limiter.js';
import { drawWindows, limiterOperations, rates } from './drivers/limiter-operations.js';
import type { QueueScenario } from './drivers/queue.js';
import { queueOperations } from './drivers/queue-operations.js';
import type { StockScenario } from './drivers/stock.js';
import { drawItem, groupNames, type KeyName, stockOperations } from './drivers/stock-operations.js';
import { drawWeights, type Random, sometimes, type Weights } from './operation.js';

/** The objects of a run: small, so that every corner is reached, and different for each seed. */
export interface Scenario {
  /** How often each driver gets the next operation. */
  readonly drivers: Weights;
  /** The time at which the clock begins, in milliseconds since 1970: 0 if absent. */
  readonly beganMs?: number;
  readonly queue?: QueueScenario;
  readonly limiter?: LimiterScenario;
  readonly stock?: StockScenario;
  readonly gate?: GateScenario;
}

/** 1970, and times before days of 23 and of 25 hours in New York, and before ends of weeks, months and years. */
const beginnings = [
  '1970-01-01T00:00Z',
  '1970-04-25T12:00Z',
  '1970-10-24T12:00Z',
  '1970-12-30T23:00Z',
  '1996-02-28T12:00Z',
  '1999-12-31T20:00Z',
];

export function drawScenario(random: Random): Scenario {
  // Most runs are about one driver: with fewer drivers, each goes further.
  const about = random.pick(['queue', 'limiter', 'stock', 'gate']);
  const isThere = (driver: string): boolean => driver === about || random.chance(0.15);
  const gate = isThere('gate') ? drawGateScenario(random) : undefined;
  const queue = isThere('queue') ? drawQueueScenario(random) : undefined;
  const limits = isThere('limiter') || gate?.limited === true;
  const limiter = limits
    ? drawLimiterScenario(random, gate?.limited === true, queue !== undefined)
    : undefined;
  const sells = isThere('stock') || gate?.stocked === true;
  const stock = sells ? drawStockScenario(random) : undefined;
  const hasCalendar = listed(limiter?.slidingWindow).some((window) => 'every' in window);
  const beganMs = hasCalendar ? Date.parse(random.pick(beginnings)) : undefined;
  const parts = {
    ...(queue && { queue }),
    ...(limiter && { limiter }),
    ...(stock && { stock }),
    ...(gate && { gate }),
  };
  const weights = Object.keys(parts).map(
    (name) => [name, random.between(1, name === about ? 20 : 6)] as const,
  );
  const drivers = { ...Object.fromEntries(weights), time: random.between(1, 6) };
  return { drivers, ...(beganMs !== undefined && { beganMs }), ...parts };
}

function drawQueueScenario(random: Random): QueueScenario {
  const lanes = random.chance(0.6) ? 1 : random.between(2, 4);
  const laneWeights = sometimes(random, 0.5, () => Array.from({ length: lanes }, () => random.between(1, 5)));
  return {
    capacity: random.pick([1, 2, 3, 4, 7, 8, 70]),
    lanes,
    ...(laneWeights && { laneWeights }),
    ttlMs: random.pick([0, 0, -1, 5, 100]),
    overflow: random.pick(['reject', 'reject', 'drop-oldest', 'overwrite'] as const),
    latency: random.chance(0.3),
    commit: random.chance(0.1),
    maxWaiting: random.pick([0, 1, 3, 20]),
    objects: random.between(2, 4),
    weights: drawWeights(random, queueOperations, ['push', 'popOne']),
  };
}

function drawLimiterScenario(random: Random, ofGate: boolean, hasQueue: boolean): LimiterScenario {
  // No bell reports to a limiter that a queue has become shorter, and with a manual clock no timer looks at the queue
  // either. So no caller waits at a limiter that follows a queue.
  const followsQueue = hasQueue && random.chance(0.4);
  const keys: KeyName[] = [1, { big: 1 }, '1', 'anna', 2.5, -7];
  // More keys than a limiter of one key has room for, except as guests; too few guests to push one out.
  const guests = random.chance(0.3);
  if (guests) keys.push(...Array.from({ length: 40 }, (_, i) => 100 + i));
  const keyed = sometimes(random, 0.4, () => keys.slice(0, random.between(guests ? 30 : 1, keys.length)));
  const tokenBucket = sometimes(random, 0.6, () => ({
    ratePerSecond: random.pick(rates),
    burst: random.between(1, 12),
  }));
  const slidingWindow = sometimes(random, 0.6, () => drawWindows(random));
  const weights = drawWeights(random, limiterOperations, ['tryAcquire']);
  const none = tokenBucket === undefined && slidingWindow === undefined;
  const queueDepth = sometimes(random, none ? 1 : 0.5, () => ({ max: random.between(1, 8) }));
  return {
    ...(tokenBucket && { tokenBucket }),
    ...(slidingWindow && { slidingWindow }),
    ...(queueDepth && { queueDepth }),
    ...(keyed && { keys: keyed, maxKeys: guests ? 1 : 100 }),
    commit: random.chance(0.1),
    followsQueue,
    maxWaiting: followsQueue ? 0 : random.pick([0, 1, 1, 3, 20]),
    enforce: !random.chance(0.1),
    objects: random.between(2, 4),
    // The gate itself gives back what it has admitted, so no operation gives back depth.
    weights: ofGate ? { ...weights, giveBack: 0 } : weights,
  };
}

function drawStockScenario(random: Random): StockScenario {
  const sharded = random.chance(0.2);
  const skus = [1, 2, 3, 'one'].slice(0, random.between(1, 4));
  const groups = groupNames
    .slice(0, random.pick([0, 0, 1, 2]))
    .map((name) => ({ name, perUser: random.between(1, 9) }));
  const grouped = groups.map(({ name }) => name);
  const items = skus.map((sku) => drawItem(random, sku, sharded, grouped));
  const weights = drawWeights(random, stockOperations, ['reserve']);
  return {
    items,
    groups,
    maxItems: sharded ? 40 : random.between(items.length, 7),
    // The auditor does not know which places the parts of a sharded item take, so there are more than will be used.
    maxReservations: sharded ? 8_192 : random.pick([1, 2, 3, 5, 50]),
    maxUsers: random.pick([1, 3, 100]),
    maxIds: random.pick([1, 8, 1_000]),
    holdMs: random.pick([1, 10, 500, 30_000]),
    movements: random.pick([0, 4_096]),
    commit: random.chance(0.1),
    objects: random.between(2, 4),
    weights: sharded ? { ...weights, restore: 0 } : weights,
  };
}

function drawGateScenario(random: Random): GateScenario {
  const overflow = random.pick(['reject', 'drop-oldest', 'overwrite'] as const);
  return {
    // Larger capacities seldom leave so many orders in the queue that some are overwritten.
    capacity: random.pick(overflow === 'overwrite' ? [1, 1, 1, 2, 3] : [1, 2, 3, 4, 7, 50]),
    ttlMs: random.pick([0, 1, 50]),
    overflow,
    limited: random.chance(0.7),
    stocked: random.chance(0.8),
    user: true,
    id: random.chance(0.7),
    texts: random.chance(0.3),
    commit: random.chance(0.1),
    ofOneItem: random.chance(0.8),
    maxInHand: random.pick([1, 2, 3, 20]),
    restarts: random.chance(0.6),
    objects: random.between(2, 3),
    weights: drawWeights(random, gateOperations, ['admit', 'consume']),
  };
}
