// closed-ring.js: closes a queue that has records in its store, and prints what becomes of them. If the event loop
// stood still, this process would have to be killed.
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue, record, u53 } from 'sluice';
import { spill } from 'sluice/overflow';

/** @type {import('sluice/overflow').OpenStore} */
const opened = {
  content: { lanes: [0], lastId: 0, lost: 0, damage: undefined },
  append: async (entries) => void kept.push(...entries),
  take: async (_, after, max) =>
    kept
      .filter(({ id }) => id > after)
      .slice(0, max)
      .map(({ id, bytes }) => ({ id, deliveries: 1, bytes })),
  remove: async () => {},
  close: async () => {},
};
/** @type {import('sluice/overflow').NewEntry[]} */
const kept = [];
const overflow = spill({
  store: { name: 'kept', maxRecords: 100, maxBytes: 2 ** 20, open: async () => opened },
});
const queue = Queue.create(record({ id: u53 }), { capacity: 1, overflow });
await overflow.opened();
for (let id = 0; id < 5; id++) await queue.push({ id });
queue.close();
await sleep(10);
const late = await queue.push({ id: 9 }).catch(({ code }) => code);
const waiting = await overflow.emptied().catch(({ code }) => code);
/** @type {number[]} */
const seen = [];
await queue.consume((batch) => void seen.push(...batch.map(({ id }) => id)));
await overflow.close();
console.log(JSON.stringify({ seen, records: overflow.stats().records, late, waiting }));
