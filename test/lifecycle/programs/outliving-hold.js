// A hold still answers after its gate has become garbage, together with the parts that only the gate knew: it reads no
// memory that was freed with them.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, Limiter, Queue, record, Stock, u32 } from 'sluice';

const Order = record({ sku: u32, quantity: u32 });
const queue = Queue.create(Order, { capacity: 16 });
const stock = Stock.create({ items: [{ sku: 1, quantity: 100 }] });
const limiter = Limiter.create({ queueDepth: { max: 50 } });
const gate = Gate.create({ queue, stock, limiter, fields: { sku: 'sku', quantity: 'quantity' } });
for (let i = 0; i < 5; i++) gate.admit({ sku: 1, quantity: 1 });

const holds = [];
const attached = await (async () => {
  const mine = Gate.attach(Order, gate.handle);
  const ends = new AbortController();
  const consumed = mine
    .consume((_, hold) => void holds.push(hold) || void hold.confirm(), { signal: ends.signal })
    .catch((error) => assert.match(String(error), /enough/));
  while (holds.length < 5) await sleep(1);
  ends.abort(new Error('enough'));
  await consumed;
  return new WeakRef(mine);
})();

for (let i = 0; attached.deref() !== undefined; i++) {
  assert.ok(i < 500, 'the gate stays');
  await sleep(10);
  globalThis.gc?.();
}
for (let i = 0; i < 10; i++) {
  await sleep(1); // native objects are freed in later turns
  globalThis.gc?.();
}
// Writes over the memory that was freed.
const kept = [];
for (let i = 0; i < 40; i++) {
  for (let bytes = 8; bytes < 9_000; bytes += 8) kept.push(Buffer.allocUnsafeSlow(bytes).fill(0));
}
for (const hold of holds) assert.equal(hold.confirm(), 'already-confirmed');
assert.equal(stock.counts(1).sold, 5);
console.log('ok');
