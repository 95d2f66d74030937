import fc from 'fast-check';
import { Queue, record, u32 } from 'sluice';
import { describe, expect, it } from 'vitest';
import { seed } from '../seed.js';
import { expectError, thrown } from '../thrown.js';

const Row = record({ number: u32 });
interface Row {
  number: number;
}

/** The model of a queue, without rings, stamps and laps. */
class Model {
  inside: Row[] = [];
  closed = false;
  next = 0;
  pushed = 0;
  popped = 0;
  rejected = 0;
  highWater = 0;

  constructor(readonly capacity: number) {}

  fresh(count: number): Row[] {
    return Array.from({ length: count }, () => ({ number: this.next++ }));
  }

  push(list: readonly Row[]): number {
    const taken = Math.min(list.length, this.capacity - this.inside.length);
    this.inside.push(...list.slice(0, taken));
    this.pushed += taken;
    this.rejected += list.length - taken;
    this.highWater = Math.max(this.highWater, this.inside.length);
    return taken;
  }

  pop(max: number): Row[] {
    const taken = this.inside.splice(0, max);
    this.popped += taken.length;
    return taken;
  }
}

/** Two objects of one thread over one queue. Either can push. They take the lease from each other by turns. */
interface Real {
  objects: Array<Queue<Row>>;
  consumer: number;
}

type Command = fc.Command<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => void): Command {
  return { check: () => true, run, toString: () => name };
}

const small = fc.nat({ max: 20 });
const large = fc.nat({ max: 200 });

const commands = [
  small.map((i) =>
    command(`tryPush by ${i % 2}`, (model, { objects }) => {
      const [value] = model.fresh(1) as [Row];
      const queue = objects[i % 2] as Queue<Row>;
      if (model.closed)
        return expectError(
          thrown(() => queue.tryPush(value)),
          'ERR_SLUICE_CLOSED',
        );
      expect(queue.tryPush(value)).toBe(model.push([value]) === 1);
    }),
  ),
  fc.tuple(large, small).map(([count, i]) =>
    command(`tryPushMany(${count}) by ${i % 2}`, (model, { objects }) => {
      const list = model.fresh(count);
      const queue = objects[i % 2] as Queue<Row>;
      if (model.closed && count > 0)
        return expectError(
          thrown(() => queue.tryPushMany(list)),
          'ERR_SLUICE_CLOSED',
        );
      expect(queue.tryPushMany(list)).toBe(model.push(list));
    }),
  ),
  fc.constant(
    command('tryPop', (model, { objects, consumer }) => {
      expect(objects[consumer]?.tryPop()).toEqual(model.pop(1)[0]);
    }),
  ),
  large.map((max) =>
    command(`popMany(${max + 1})`, (model, { objects, consumer }) => {
      expect(objects[consumer]?.popMany(max + 1)).toEqual(model.pop(max + 1));
    }),
  ),
  large.map((max) =>
    command(`drain(${max})`, (model, { objects, consumer }) => {
      const seen: Row[] = [];
      const count = objects[consumer]?.drain((view) => seen.push(view.toObject()), max);
      expect(seen).toEqual(model.pop(max));
      expect(count).toBe(seen.length);
    }),
  ),
  large.map((last) =>
    command(`drain that throws at its ${last + 1}th record`, (model, { objects, consumer }) => {
      const seen: Row[] = [];
      const stop = new Error('stop');
      const visit = () =>
        objects[consumer]?.drain((view) => {
          seen.push(view.toObject());
          if (seen.length > last) throw stop;
        });
      if (model.inside.length > last) expect(thrown(visit)).toBe(stop);
      else visit();
      expect(seen).toEqual(model.pop(last + 1));
    }),
  ),
  fc.constant(
    command('the other object consumes', (_model, real) => {
      const other = 1 - real.consumer;
      expectError(
        thrown(() => real.objects[other]?.tryPop()),
        'ERR_SLUICE_CONSUMER',
      );
      real.objects[real.consumer]?.releaseLease();
      real.consumer = other;
      real.objects[other]?.drain(() => {}, 0); // takes the lease
    }),
  ),
  small.map((i) =>
    command(i === 0 ? 'close' : 'depth', (model, { objects }) => {
      if (i === 0) {
        expect(objects[0]?.close()).toBe(!model.closed);
        model.closed = true;
      }
      expect(objects[1]?.closed).toBe(model.closed);
      expect(objects[1]?.depth).toBe(model.inside.length);
    }),
  ),
];

/**
 * 0, and positions a little before the words that count records overflow, change sign, or return to zero: see
 * wrap-around.test.ts.
 */
const starts = [0n, ...[15, 16, 31, 32, 47, 48, 62, 63].map((bits) => 2n ** BigInt(bits) - 40n)];

describe('any sequence of synchronous calls', () => {
  it('does what a plain array would, from every starting position', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 150 }),
        fc.constantFrom(...starts),
        fc.commands(commands, { maxCommands: 60, size: 'max' }),
        (capacity, start, sequence) => {
          const queue = Queue.createAt(Row, { capacity }, start);
          const objects = [queue, Queue.attach(Row, queue.handle)];
          queue.tryPop();
          const model = new Model(capacity);
          fc.modelRun(() => ({ model, real: { objects, consumer: 0 } }), sequence);
          const { pushed, popped, rejected, highWater } = model;
          expect(queue.stats()).toMatchObject({
            depth: model.inside.length,
            pushed,
            popped,
            rejected,
            highWater,
          });
          for (const object of objects) object[Symbol.dispose]();
        },
      ),
      { seed, numRuns: 300 },
    );
  });
});
