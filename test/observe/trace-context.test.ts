import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Gate, type Infer, Queue, record, Stock, traceContext, traceparent, u32, u53, utf8 } from 'sluice';
import { dispatch } from 'sluice/dispatch';
import { lmdbStore, spill } from 'sluice/overflow';
import { RedisQueue, RedisWorkers } from 'sluice/redis';
import { describe, expect, it } from 'vitest';
import { connect, disconnect } from '../redis/clients.js';
import { endServers, noRedis, Server } from '../redis/servers.js';

const example = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const Order = record({ id: u53, sku: u32, quantity: u32, trace: traceContext(), note: utf8(8) });

function newTrace(): string {
  const [id, parent, flags] = [16, 8, 1].map((bytes) => randomBytes(bytes).toString('hex'));
  return `00-${id}-${parent}-${flags}`;
}

function shop() {
  const queue = Queue.create(Order, { capacity: 1_000 });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 1_000 }] });
  const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });
  const admit = (id: number, trace: string) => gate.admit({ id, sku: 1, quantity: 1, trace, note: 'é' });
  return { gate, queue, admit };
}

describe('a field traceContext()', () => {
  it('takes 25 bytes', () => {
    expect(traceContext().bytes).toBe(25);
    expect(record({ trace: traceContext() }).bytes).toBe(32);
  });

  it('carries a trace context from admit to the handler, and the absence of one', async () => {
    const { gate, queue, admit } = shop();
    const traces = [example, '', ...Array.from({ length: 300 }, newTrace), ''];
    for (const [id, trace] of traces.entries()) expect(admit(id, trace).outcome).toBe('admitted');
    queue.close();
    const seen: string[] = [];
    await gate.consume(({ trace, note }) => {
      expect(note).toBe('é');
      seen.push(trace);
    });
    expect(seen).toEqual(traces);
  });

  it('is read in place by a view, and overwritten by an order without a trace', () => {
    const queue = Queue.create(Order, { capacity: 1 });
    const seen: string[] = [];
    for (const trace of [example, '', example]) {
      queue.tryPush({ id: 1, sku: 1, quantity: 1, trace, note: '' });
      queue.drain((view) => void seen.push(view.trace, view.toObject().trace));
    }
    expect(seen).toEqual([example, example, '', '', example, example]);
  });

  it('charges and queues nothing for an order with a bad one', () => {
    const { gate, admit } = shop();
    expect(() => admit(1, `${example}0`)).toThrow(/^field "trace": expected '' or a trace context/);
    expect(gate.stock?.counts(1)).toMatchObject({ available: 1_000 });
    expect(gate.stats()).toMatchObject({ admitted: 0 });
  });

  it('comes back from a store on disk with its order', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-trace-context-'));
    const overflow = spill<Infer<typeof Order>>({ store: lmdbStore(join(folder, 'orders.mdb')) });
    const queue = Queue.create(Order, { capacity: 2, overflow });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1_000 }] });
    const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });
    try {
      await overflow.opened();
      const traces = [example, '', ...Array.from({ length: 50 }, newTrace), ''];
      for (const [id, trace] of traces.entries()) {
        const one = { id, sku: 1, quantity: 1, trace, note: 'é' };
        expect((await gate.admitDurably(one)).outcome).toBe('admitted');
      }
      expect(overflow.stats().appended).toBeGreaterThan(40);
      const seen = new Map<number, string>();
      const all = new AbortController();
      const run = gate.consume(
        ({ id, trace }) => {
          seen.set(id, trace);
          if (seen.size === traces.length) all.abort();
        },
        { signal: all.signal },
      );
      await expect(run).rejects.toThrow();
      expect([...seen]).toEqual([...traces.entries()]);
    } finally {
      gate[Symbol.dispose]();
      queue[Symbol.dispose]();
      await overflow.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(noRedis)('reaches the workers of a stream', async () => {
    const server = await Server.start();
    try {
      const redis = await connect(server.port);
      const stream = 'shop:{trace}:orders';
      const traces = [example, '', newTrace()];
      const orders = new RedisQueue({ redis, stream, record: Order, id: 'id' });
      for (const [id, trace] of traces.entries())
        await orders.push({ id, sku: 1, quantity: 1, trace, note: 'é' });
      const workers = new RedisWorkers({ redis, stream, record: Order, group: 'cashiers', blockMs: 200 });
      const seen: string[] = [];
      const all = new AbortController();
      const run = workers.run(
        ({ trace }) => {
          seen.push(trace);
          if (seen.length === traces.length) all.abort();
        },
        { signal: all.signal },
      );
      await expect(run).rejects.toThrow();
      expect(seen).toEqual(traces);
    } finally {
      await disconnect();
      await endServers();
    }
  });

  it('reaches the workers of a crew', async () => {
    const { gate, queue, admit } = shop();
    const seen = Queue.create(Order, { capacity: 10 });
    const handler = new URL('./workers/forwarding-handler.js', import.meta.url);
    admit(1, example);
    queue.close();
    await dispatch(gate, { workers: 1, handler, data: seen.handle, deadLetters: () => {} }).done;
    expect(seen.tryPop()).toMatchObject({ id: 1, trace: example });
  });
});

describe('traceparent()', () => {
  const rest = example.slice(2);
  it.each([
    ['a header of version 00', example, example],
    ['one of a later version', `cc${rest}`, example],
    ['one of a later version with more parts', `01${rest}-what-the-future-brings`, example],
  ])('accepts %s', (_, header, expected) => {
    expect(traceparent(header)).toBe(expected);
  });

  it.each([
    ['a missing header', undefined],
    ['two headers', [example, example]],
    ['two headers in one', `${example}, ${example}`],
    ['an empty one', ''],
    ['version ff', `ff${rest}`],
    ['a version that is none', `0x${rest}`],
    ['version 00 with more parts', `${example}-00`],
    ['a later version that goes on without a dash', `01${rest}00`],
    ['upper case', example.toUpperCase()],
    ['zeros', example.replace(/[\da-f]/g, '0')],
    ['a very long one', 'a'.repeat(10_000_000)],
    ['an array', [example]],
  ])('makes nothing of %s', (_, header) => {
    expect(traceparent(header)).toBe('');
  });
});
