import { setImmediate as immediate } from 'node:timers/promises';
import type { ManualClock, Permit } from 'sluice';
import { Queue } from 'sluice';
import { expect } from 'vitest';
import { nativeOf } from '../native-of.js';
import { Row } from '../row.js';
import type { Model } from './model.js';

export type Rows = Queue<{ number: number }>;
type RowPermit = Permit<{ number: number }>;

/** A promise of the queue that has not been answered yet. */
interface Wait {
  readonly controller: AbortController;
  readonly outcome: Promise<{ value: unknown } | { error: unknown }>;
}

export interface HeldPermit {
  readonly permit: RowPermit;
  readonly lane: number;
  readonly object: number;
}

/** Returns the promise's result; 'no answer' if it has none within many turns of the event loop. */
async function answerOf(outcome: Promise<object>): Promise<object | string> {
  let answer: object | undefined;
  void outcome.then((came) => {
    answer = came;
  });
  for (let turn = 0; turn < 1_000 && answer === undefined; turn++) await immediate();
  return answer ?? 'no answer';
}

/** Two objects of one thread over one queue, and the outcome of every wait. */
export class Real {
  readonly objects: [Rows, Rows];
  readonly expired: number[] = [];
  readonly dropped: number[] = [];
  readonly waits = new Map<number, Wait & { object: number; lane: number }>();
  permits: HeldPermit[] = [];
  next = 0;
  nextWait = 0;

  constructor(
    objects: readonly [Rows, Rows],
    readonly clock: ManualClock,
    readonly spilled: readonly number[],
  ) {
    this.objects = [...objects];
    for (const object of objects) this.listen(object);
  }

  readonly #onExpired = ({ number }: { number: number }): void => void this.expired.push(number);
  readonly #onDropped = ({ number }: { number: number }): void => void this.dropped.push(number);

  listen(object: Rows): void {
    object.on('expired', this.#onExpired).on('dropped', this.#onDropped);
  }
  ignore(object: Rows): void {
    object.off('expired', this.#onExpired).off('dropped', this.#onDropped);
  }
  object(index: number): Rows {
    return this.objects[index] as Rows;
  }
  /** Replaces an object by one that is newly attached. Returns the old one. */
  replace(index: number): Rows {
    const old = this.object(index);
    const { overflow } = nativeOf(old);
    const spill =
      overflow === 2
        ? { onOverflow: ({ number }: { number: number }) => void (this.spilled as number[]).push(number) }
        : undefined;
    this.objects[index] = Queue.attach(Row, old.handle, spill);
    this.listen(this.object(index));
    this.permits = this.permits.filter(({ object }) => object !== index);
    return old;
  }

  wait(object: number, lane: number, start: (signal: AbortSignal) => Promise<unknown>): number {
    const controller = new AbortController();
    const outcome = start(controller.signal).then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    this.waits.set(this.nextWait, { controller, outcome, object, lane });
    return this.nextWait++;
  }

  /** Checks that every wait that the model has answered is settled with that answer. */
  async #compareAnswers(model: Model): Promise<void> {
    for (const [id, answer] of model.answered) {
      const { outcome, object, lane } = this.waits.get(id) as Wait & { object: number; lane: number };
      const came = await answerOf(outcome);
      this.waits.delete(id);
      if (answer === 'served') {
        expect(came).not.toHaveProperty('error');
        const permit = (came as { value: unknown }).value as RowPermit | undefined;
        if (permit !== undefined) this.permits.push({ permit, lane, object });
      } else if (answer === 'aborted') {
        expect(came).toHaveProperty('error.name', 'AbortError');
      } else {
        expect(came).toHaveProperty('error.code', answer);
      }
    }
    model.answered.clear();
  }

  /** Checks that all answers and all counts are those of the model. */
  async compare(model: Model): Promise<void> {
    await this.#compareAnswers(model);
    const { depth, highWater, pushed, popped, rejected, waiting, waitersRefused, permits } = model;
    const expected = { depth, highWater, pushed, popped, rejected, waiting, waitersRefused, permits };
    const counted = { ...expected, ...model.counts };
    for (const object of this.objects) {
      expect(object.stats()).toMatchObject(counted);
      const { closed, capacity, lanes } = object;
      expect({ closed, depth: object.depth, capacity, lanes }).toEqual({
        closed: model.closed,
        depth,
        capacity: model.config.capacity,
        lanes: model.config.lanes,
      });
    }
    expect(popped + model.counts.expired + model.counts.dropped + depth).toBe(pushed);
    expect(this.expired).toEqual(model.expired);
    expect(this.dropped).toEqual(model.dropped);
    expect(this.spilled).toEqual(model.spilled);
  }

  async finish(model: Model): Promise<void> {
    await this.compare(model);
    const { count } = this.objects[0].stats().waitNs;
    expect(this.objects[0].waits()?.count ?? 0).toBe(count);
    if (!model.config.latency) expect(count).toBe(0);
    else expect(count).toBeGreaterThanOrEqual(model.popped); // a record that was shown and then expired counts, too
  }
  /** Disposes of both objects. The waits that are left reject, or get the room that the other object gives back. */
  async end(model: Model): Promise<void> {
    for (const [index, object] of this.objects.entries()) {
      object[Symbol.dispose]();
      model.dispose(index);
    }
    await this.#compareAnswers(model);
    expect(this.waits.size).toBe(0);
  }
}
