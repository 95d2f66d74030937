import { setImmediate as immediate } from 'node:timers/promises';
import type { ManualClock, Permit } from 'sluice';
import { Queue } from 'sluice';
import { expect } from 'vitest';
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

/** What the promise comes to; 'no answer' if it does not within many turns of the event loop. */
async function answerOf(outcome: Promise<object>): Promise<object | string> {
  let answer: object | undefined;
  void outcome.then((came) => {
    answer = came;
  });
  for (let turn = 0; turn < 1_000 && answer === undefined; turn++) await immediate();
  return answer ?? 'no answer';
}

/** The queue, by two objects of one thread, and what came of every wait. */
export class Real {
  readonly objects: [Rows, Rows];
  readonly expired: number[] = [];
  readonly dropped: number[] = [];
  readonly waits = new Map<number, Wait & { object: number; lane: number }>();
  permits: HeldPermit[] = [];
  closedTold = [0, 0];
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

  listen(object: Rows): void {
    object.on('expired', ({ number }) => this.expired.push(number));
    object.on('dropped', ({ number }) => this.dropped.push(number));
  }
  object(index: number): Rows {
    return this.objects[index] as Rows;
  }
  /** Lets go of an object and takes another one in its place. */
  replace(index: number): void {
    const old = this.object(index);
    const { overflow } = old.native;
    const spill =
      overflow === 2
        ? { onOverflow: ({ number }: { number: number }) => void (this.spilled as number[]).push(number) }
        : undefined;
    this.objects[index] = Queue.attach(Row, old.handle, spill);
    this.listen(this.object(index));
    old[Symbol.dispose]();
    this.permits = this.permits.filter(({ object }) => object !== index);
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

  /** Every wait that the model says is answered is, in that way; all counts are those of the model. */
  async compare(model: Model): Promise<void> {
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
    const { depth, highWater, pushed, popped, rejected, waiting, waitersRefused, permits } = model;
    const expected = { depth, highWater, pushed, popped, rejected, waiting, waitersRefused, permits };
    const counted = { ...expected, expired: model.expired.length, dropped: model.dropped.length };
    expect(this.objects[0].stats()).toMatchObject(counted);
    expect(popped + counted.expired + counted.dropped + depth).toBe(pushed);
    expect(this.expired).toEqual(model.expired);
    expect(this.dropped).toEqual(model.dropped);
    expect(this.spilled).toEqual(model.spilled);
  }

  async finish(model: Model): Promise<void> {
    await this.compare(model);
    if (model.config.latency) expect(this.objects[0].stats().waitNs.count).toBe(model.popped);
  }
  /** Lets go of everything; who still waited is told so. */
  async dispose(): Promise<void> {
    for (const object of this.objects) object[Symbol.dispose]();
    for (const { outcome } of this.waits.values()) {
      expect(await answerOf(outcome)).toHaveProperty('error.code', 'ERR_SLUICE_DISPOSED');
    }
  }
}
