// @ts-check
// Orders that the queue has no room for go to a file, and come back in their order when there is room.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, record, u32 } from 'sluice';
import { lmdbStore, spill } from 'sluice/overflow';

const Order = record({ id: u32 });
const directory = mkdtempSync(join(tmpdir(), 'sluice-example-'));
const overflow = /** @type {typeof spill<{ id: number }>} */ (spill)({
  store: lmdbStore(join(directory, 'orders')),
});
const orders = Queue.create(Order, { capacity: 2, overflow });
await overflow.opened();

for (const id of [1, 2, 3, 4, 5]) await orders.push({ id }); // resolved when it is in the ring, or durable in the file
console.log(`in the queue: ${orders.depth}, in the file: ${overflow.stats().behind}`);

const handled = orders.consume(async (batch) => {
  for (const { id } of batch) console.log(`order ${id}`);
});
await overflow.emptied();
orders.close();
await handled;
await overflow.close();
rmSync(directory, { recursive: true });

// Prints:
// in the queue: 2, in the file: 3
// order 1
// order 2
// order 3
// order 4
// order 5
