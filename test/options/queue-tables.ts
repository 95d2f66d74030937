import { ManualClock, Queue, record, u32 } from 'sluice';
import { type OptionTable, only, whole } from './option-table.js';

const Row = record({ number: u32 });

function closed(): Queue<{ number: number }> {
  const queue = Queue.create(Row, { capacity: 4 });
  queue.close();
  return queue;
}

export const queueTables: readonly OptionTable[] = [
  {
    where: 'Queue.create',
    call: (options) => Queue.create(Row, options as never),
    base: { capacity: 4 },
    required: ['capacity'],
    options: {
      capacity: whole(1, 2 ** 24, [1, 3, 65_536]),
      latency: only(true, false),
      clock: only(new ManualClock()),
    },
    unknown: ['Capacity', 'capactiy', 'lanes', 'ttlMs', 'maxWaiting', 'name', 'toString', '__proto__'],
  },
  {
    where: 'Queue.tryPush',
    call: (options) => Queue.create(Row, { capacity: 4 }).tryPush({ number: 1 }, options as never),
    base: {},
    options: {},
    unknown: ['lane', 'ttlMs', 'timeoutMs', 'signal'],
  },
  {
    where: 'Queue.consume',
    call: (options) => closed().consume(() => {}, options as never),
    base: {},
    options: {
      batchSize: whole(1, 65_536, [1, 65_536]),
      concurrency: whole(1, 65_536, [1, 65_536]),
      signal: only(new AbortController().signal),
    },
    unknown: ['batchsize', 'maxBatch', 'timeoutMs', 'lane'],
  },
];
