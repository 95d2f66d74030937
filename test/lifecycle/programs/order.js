import { Gate, Limiter, Queue, record, Stock, u32, u64 } from 'sluice';

export const Order = record({ id: u64, producer: u32, sequence: u32, quantity: u32 });

/**
 * @param {number} producer
 * @param {number} sequence
 */
export function order(producer, sequence) {
  return { id: (BigInt(producer) << 32n) | BigInt(sequence), producer, sequence, quantity: 1 };
}

/** Makes a gate with all its parts. The queue has room for `capacity` orders; limiter and stock have high limits. */
export function newGate(capacity = 1_000) {
  const queue = Queue.create(Order, { capacity });
  const limiter = Limiter.create({
    tokenBucket: { ratePerSecond: 1e7, burst: 1e6 },
    queueDepth: { max: 1e6 },
  });
  const items = Array.from({ length: 300 }, (_, sku) => ({ sku, quantity: 1e6, perUser: 1e6 }));
  const stock = Stock.create({ items, maxReservations: 20_000, maxUsers: 10_000, maxIds: 200_000 });
  return Gate.create({
    queue,
    limiter,
    stock,
    fields: { sku: 'producer', quantity: 'quantity', user: 'producer', id: 'id' },
  });
}

/** Fails unless the gate and all its parts work, in this thread. */
export async function expectWorking(gate) {
  const { queue, stock } = gate;
  queue.popMany(65_536);
  queue.releaseLease();
  stock.audit();
  const before = queue.stats();
  const admission = gate.admit(order(299, Number(before.pushed)));
  if (admission.outcome !== 'admitted') throw new Error(`not admitted: ${admission.outcome}`);
  setImmediate(() => queue.tryPush(order(299, 1)));
  const seen = [];
  for await (const { producer } of queue) {
    seen.push(producer);
    if (seen.length === 2) break;
  }
  if (seen.some((producer) => producer !== 299)) throw new Error(`a stray record: ${seen}`);
  if (stock.confirm(admission.reservation) !== 'confirmed') throw new Error('not confirmed');
  stock.audit();
}
