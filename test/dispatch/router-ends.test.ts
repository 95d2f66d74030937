import { describe, expect, it } from 'vitest';
import { Routing } from './routing.js';

const failed = 'failed';
const returned = 'returned';

describe('When a worker has ended, the router', () => {
  it('hands out at once what the worker had not begun, and the rest after a failure', async () => {
    const routing = new Routing({ seats: 2, places: 2 });
    routing.seat(1).isUp = false;
    routing.take(1, 2, 3);
    routing.seat(0).isUp = false;
    routing.seat(1).isUp = true;
    routing.end(0, 2);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([
      [1, 2],
      [3, 2],
    ]);
    expect(routing.router).toMatchObject({ failures: 1, delayed: 1, inHand: 3 });
    routing.router.close();
    expect(routing.unfinished).toEqual([[1, 1]]);
  });

  it('gives back what it had not begun as if it had not been taken, while the crew closes', async () => {
    const routing = new Routing({ places: 2 });
    routing.take(1, 2);
    routing.router.close();
    routing.end(0, 2);
    await routing.turn();
    expect(routing.unfinished).toEqual([
      [1, 1],
      [2, 0],
    ]);
    expect(routing.log).toEqual(['put back 2', 'finished 1', 'finished 2']);
    expect(routing.seat().sent).toEqual([1, 2]);
  });

  it('gives a suspect order the same worker to itself', () => {
    const routing = new Routing({ seats: 2, places: 2, retriesMax: 5 });
    routing.take(1, 2);
    routing.end(0);
    routing.take(3);
    routing.pass(100);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([[1, 3], [2]]);
    routing.take(4, 5, 6);
    routing.report(3, returned);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([
      [1, 3, 1],
      [2, 4],
    ]);
    expect(routing.seat(0).isAlone).toBe(true);
    routing.report(1, returned);
    expect(routing.seat(0)).toMatchObject({ isAlone: false, sent: [1, 3, 1, 5, 6] });
  });

  it('has a worker to itself no more if a suspect order cannot be sent', () => {
    const routing = new Routing({ retriesMax: 5 });
    routing.take(1);
    routing.end(0);
    routing.seat().refuse = () => {
      throw new TypeError('a bad field');
    };
    routing.pass(100);
    expect([routing.seat().isAlone, routing.log]).toEqual([false, ['bury 1']]);
  });

  it('sends an order that waited for this worker to any other, not as delivered again', () => {
    const routing = new Routing({ seats: 2, places: 1, retriesMax: 5, by: true });
    routing.take({ id: 1, key: 'a' }, { id: 2, key: 'b' });
    routing.report(1, failed);
    routing.take({ id: 3, key: 'c' });
    routing.pass(100); // the first waits for the worker of its key, which has the third
    routing.seat(0).isUp = false;
    routing.end(0, 3);
    routing.report(2, returned);
    routing.report(3, returned);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([
      [1, 3],
      [2, 3, 1],
    ]);
    routing.router.giveBackAll();
    expect(routing.unfinished).toEqual([[1, 1]]);
  });

  it('sends the other orders of a key to any worker', () => {
    const routing = new Routing({ seats: 2, places: 1, by: true });
    routing.take({ id: 1, key: 'a' }, { id: 2, key: 'b' });
    routing.seat(0).isUp = false;
    routing.end(0, 1);
    routing.report(2, returned);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([[1], [2, 1]]);
  });

  it.each([
    ['confirmed', 'confirm 1'],
    ['cancelled', 'confirm 1'],
    [undefined, 'confirm 1'],
  ])('does not hand out an order that its handler had decided: %s', async (state, settled) => {
    const routing = new Routing();
    routing.find = () => (state === undefined ? undefined : { state });
    routing.take(1);
    routing.end(0);
    await routing.turn();
    expect(routing.log).toEqual([settled, 'finished 1']);
    expect(routing.router).toMatchObject({ handled: 1, failures: 0 });
  });

  it.each(['held', 'expired'])('hands an order out again whose reservation is %s', (state) => {
    const routing = new Routing();
    routing.find = () => ({ state });
    routing.take(1);
    routing.end(0);
    routing.pass(100);
    expect([routing.seat().sent, routing.router.handled]).toEqual([[1, 1], 0]);
  });

  it('does not hand out an order whose decision was reported, with no stock to ask', async () => {
    const routing = new Routing();
    routing.take(1);
    routing.report(1, 'decided', { confirmed: true });
    routing.end(0);
    await routing.turn();
    expect(routing.log).toEqual(['confirm 1', 'finished 1']);
  });

  it('reports that the stock is gone, and keeps the order', () => {
    const routing = new Routing();
    const error = new Error('disposed');
    routing.find = () => {
      throw error;
    };
    routing.take(1);
    routing.end(0);
    expect([routing.errors, routing.router.inHand]).toEqual([[error], 1]);
  });
});

describe('A source that is disposed of', () => {
  it('ends the crew when an order is settled, and the order is finished', async () => {
    const routing = new Routing();
    const error = new Error('disposed');
    routing.settle = () => {
      throw error;
    };
    routing.take(1);
    routing.report(1, returned);
    await routing.turn();
    expect([routing.errors, routing.router.inHand]).toEqual([[error], 0]);
  });

  it('ends the crew when orders are put back, and each is still given back', async () => {
    const routing = new Routing({ places: 0 });
    routing.putBack = () => {
      throw new Error('disposed');
    };
    routing.take(1, 2);
    routing.router.close();
    await routing.turn();
    expect(routing.errors).toHaveLength(2);
    expect(routing.log).toEqual(['put back 1', 'put back 2', 'finished 1', 'finished 2']);
    expect(routing.unfinished).toEqual([
      [1, 0],
      [2, 0],
    ]);
  });

  it('gives back no order twice that was given back while a worker ended', () => {
    const routing = new Routing({ places: 2, retriesMax: 5, by: true });
    routing.find = () => {
      throw new Error('disposed');
    };
    routing.fail = () => routing.router.close(); // as a crew does
    routing.take({ id: 1, key: 'a' }, { id: 2, key: 'b' }, { id: 3, key: 'c' });
    routing.report(1, failed);
    routing.pass(100); // the first waits for the worker that has the two others
    expect(routing.seat().sent).toEqual([1, 2, 3]);
    routing.end(0, 3);
    expect(routing.unfinished).toEqual([
      [1, 1],
      [2, 1],
      [3, 0],
    ]);
    expect(routing.log).toEqual(['put back 3']);
  });
});
