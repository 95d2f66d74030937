import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Queue } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';
import { Row } from './row.js';

type Path = 'wasm' | 'native';

const programs = {
  consumer: new URL('./workers/consumer.js', import.meta.url),
  producer: new URL('./workers/producer.js', import.meta.url),
};
/** Starts a worker whose queues take this path. */
const worker = (name: keyof typeof programs, path: Path, workerData: object) =>
  new Worker(programs[name], {
    workerData,
    env: { ...process.env, SLUICE_WASM: path === 'wasm' ? 'on' : 'off' },
  });

const COUNT = 20_000;

describe.skipIf(process.platform !== 'linux')('the two faces of a queue', () => {
  it.each<[Path, readonly Path[]]>([
    ['wasm', ['wasm', 'wasm']],
    ['wasm', ['native', 'native']],
    ['native', ['wasm', 'wasm']],
    ['wasm', ['wasm', 'native', 'wasm']],
    ['native', ['native', 'wasm']],
  ])(
    'work on one ring at the same time: consumer %s, producers %s',
    async (consumerPath, paths) => {
      const queue = Queue.create(Row, { capacity: 50 });
      const data = { handle: queue.handle, threads: paths.length, count: COUNT };
      const consumer = worker('consumer', consumerPath, data);
      const producers = paths.map((path, thread) => worker('producer', path, { ...data, thread }));
      const [consumed, ...pushed] = await Promise.all(
        [consumer, ...producers].map(async (each) => (await once(each, 'message'))[0]),
      );
      expect(consumed).toEqual({ got: paths.length * COUNT, wrong: 0, path: consumerPath });
      expect(pushed).toEqual(paths);
      expect(queue.stats()).toMatchObject({ pushed: paths.length * COUNT, popped: paths.length * COUNT });
      queue[Symbol.dispose]();
    },
    60_000,
  );

  it('are one in what they do: each way in, and each way out', () => {
    const queue = Queue.create(Row, { capacity: 100 });
    const row = (number: number) => ({ thread: 0, number, copy: 1n });
    const numbers = (rows: ReadonlyArray<{ number: number }>) => rows.map(({ number }) => number);
    expect(queue.tryPush(row(0))).toBe(true);
    expect(queue.tryPushMany([1, 2, 3].map(row))).toBe(3);
    expect(queue.tryPop()?.number).toBe(0);
    const seen: number[] = [];
    expect(queue.drain(({ number }) => seen.push(number), 1)).toBe(1);
    expect(queue.drain(({ number }) => seen.push(number), 1)).toBe(1);
    expect(seen).toEqual([1, 2]);
    expect(numbers(queue.popMany(9))).toEqual([3]);
    expect(queue.tryPushMany(Array.from({ length: 200 }, (_, i) => row(i)))).toBe(100);
    expect(queue.stats()).toMatchObject({ rejected: 100, highWater: 100, path: 'wasm' });
    expect(numbers(queue.popMany(70))).toEqual(Array.from({ length: 70 }, (_, i) => i));
    expect(queue.drain(() => {})).toBe(30);
    expect(queue.tryPop()).toBeUndefined();
  });

  it('show a drain the records of callers that waited for the room that it frees', async () => {
    const queue = Queue.create(Row, { capacity: 1 });
    const row = (number: number) => ({ thread: 0, number, copy: 1n });
    queue.tryPush(row(1));
    const waits = queue.push(row(2));
    expect(queue.drain(() => {}, 9)).toBe(2);
    await waits;
  });

  it('show a record that stays as it is until its visit is over', () => {
    const queue = Queue.create(Row, { capacity: 4 });
    const row = (number: number) => ({ thread: 0, number, copy: BigInt(number) });
    queue.tryPushMany([1, 2, 3, 4].map(row));
    const seen: unknown[] = [];
    let disposing = false;
    const visit = (view: { number: number; copy: bigint }): void => {
      if (view.number === 3) {
        disposing = true;
        queue[Symbol.dispose]();
      }
      seen.push([view.number, view.copy]);
    };
    expect(() => queue.drain(visit)).toThrow('already disposed of');
    expect([disposing, seen]).toEqual([
      true,
      [
        [1, 1n],
        [2, 2n],
        [3, 3n],
      ],
    ]);
  });
});

describe('a queue that cannot use WebAssembly', { concurrent: true }, () => {
  const program = new URL('./programs/native.js', import.meta.url);
  const cases = ['--jitless', 'latency', 'trace', 'ttlMs', 'shed', 'large', 'off', 'no address space'];
  it.each(nodes.flatMap(({ node, name }) => cases.map((why) => ({ node, name, why }))))(
    'works natively, and says so: $why, $name',
    async ({ node, why }) => {
      const execArgv = why.startsWith('--') ? [why] : [];
      expectEnded(await run(program, [why], { node, execArgv }), 0);
    },
    120_000,
  );
});

describe('the memory of queues', { concurrent: true }, () => {
  const program = new URL('./programs/memory.js', import.meta.url);
  const isGiven = (what: string, { node, name }: (typeof nodes)[number]) =>
    it(`is given back, and outlives its creator: ${what}, ${name}`, { timeout: 120_000 }, async () => {
      expectEnded(await run(program, [what], { node, patienceMs: 110_000 }), 0);
    });
  for (const what of ['cycles', 'creator', 'in flight', 'heap limit']) {
    for (const one of nodes) isGiven(what, one);
  }
  // It takes half a minute, so it runs with two versions: this one, and the newest.
  for (const one of new Set([nodes[0], nodes.at(-1)])) if (one !== undefined) isGiven('many', one);
});
