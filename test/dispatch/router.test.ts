import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Routing } from './routing.js';

const failed = 'failed';
const returned = 'returned';

describe('The router', () => {
  it('gives back at once what comes while the crew closes, and finishes it', async () => {
    const routing = new Routing();
    routing.router.close();
    routing.take(1);
    await routing.turn();
    expect(routing.log).toEqual(['put back 1', 'finished 1']);
    expect(routing.seat().sent).toEqual([]);
    expect([routing.unfinished, routing.router.inHand]).toEqual([[[1, 0]], 0]);
  });

  it('confirms an order once, when its handler has returned, and finishes it', async () => {
    const routing = new Routing();
    routing.take(1);
    routing.report(1, returned);
    routing.report(1, returned, { seat: 0 });
    routing.report(1, failed, { seat: 0 });
    routing.report(99, returned, { seat: 0 });
    await routing.turn();
    expect(routing.log).toEqual(['confirm 1', 'finished 1']);
    expect(routing.router).toMatchObject({ handled: 1, failures: 0, inHand: 0 });
    expect(routing.seat()).toMatchObject({ handled: 1, heardAt: 1 });
  });

  it.each([true, false])(
    'settles an order as its handler has decided, and not again: %s',
    async (confirmed) => {
      const routing = new Routing();
      routing.take(1, 2);
      routing.report(1, 'decided', { confirmed });
      routing.report(2, 'decided', { confirmed });
      expect(routing.router.inHand).toBe(2);
      routing.report(1, returned);
      routing.report(2, failed);
      await routing.turn();
      const word = confirmed ? 'confirm' : 'cancel';
      expect(routing.log).toEqual([`${word} 1`, `${word} 2`, 'finished 1', 'finished 2']);
      expect(routing.router).toMatchObject({ handled: 2, failures: 1, delayed: 0 });
    },
  );

  it('publishes an order whose confirmation was refused, and none that its handler decided', () => {
    const published: unknown[] = [];
    const note = (message: unknown): void => void published.push(message);
    subscribe('sluice:gate:not-confirmed', note);
    onTestFinished(() => void unsubscribe('sluice:gate:not-confirmed', note));
    const routing = new Routing();
    routing.take(1, 2);
    routing.report(1, 'decided', { confirmed: false });
    routing.report(1, returned);
    routing.report(2, returned, { resolution: 'expired' });
    expect(published).toEqual([{ order: { id: 2 }, reservation: 2n, resolution: 'expired' }]);
  });

  it('sends each order to the worker that has fewest, and none beyond their places', () => {
    const routing = new Routing({ seats: 2, places: 2 });
    routing.take(1, 2, 3, 4, 5);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([
      [1, 3],
      [2, 4],
    ]);
    routing.report(2, returned);
    expect(routing.seat(1).sent).toEqual([2, 4, 5]);
  });

  it('asks for more when a worker has a place, and only then', async () => {
    const routing = new Routing({ places: 1 });
    expect(routing.router.room()).toBeUndefined();
    routing.take(1, 2);
    let hasRoom = false;
    void routing.router.room()?.then(() => {
      hasRoom = true;
    });
    routing.report(1, returned);
    await routing.turn();
    expect(hasRoom).toBe(false); // the second took the place
    routing.report(2, returned);
    await routing.turn();
    expect(hasRoom).toBe(true);
  });

  it('ends the wait for room when the crew closes', async () => {
    const routing = new Routing({ places: 1 });
    routing.take(1);
    const room = routing.router.room();
    routing.router.close();
    await room;
  });

  it('hands a failed order out again after its wait, and offers it to the dead letters after the last', async () => {
    const routing = new Routing({ retriesMax: 1 });
    routing.take(1);
    routing.report(1, failed);
    expect(routing.router.delayed).toBe(1);
    routing.pass(99);
    expect(routing.seat().sent).toEqual([1]);
    routing.pass(1);
    expect(routing.seat().sent).toEqual([1, 1]);
    routing.report(1, failed);
    await routing.turn();
    expect(routing.log).toEqual(['bury 1', 'cancel 1', 'finished 1']);
    expect(routing.router).toMatchObject({ failures: 2, deadLettered: 1, inHand: 0 });
  });

  it('counts the deliveries of earlier consumers', async () => {
    const routing = new Routing({ retriesMax: 1 });
    routing.take({ id: 1, earlier: 1 });
    routing.report(1, failed);
    await routing.turn();
    expect(routing.log).toEqual(['bury 1', 'cancel 1', 'finished 1']);
  });

  it('offers a refused dead letter again, with ever longer waits, and cancels the order only when it is taken', async () => {
    const routing = new Routing({ retriesMax: 0 });
    routing.bury = () => Promise.reject(new Error('no room'));
    routing.take(1);
    routing.report(1, failed);
    await routing.turn();
    expect([routing.log, routing.router.deadLetterFailures]).toEqual([['bury 1'], 1]);
    routing.pass(199);
    expect(routing.log).toEqual(['bury 1']);
    routing.bury = () => Promise.resolve();
    routing.pass(1);
    await routing.turn();
    expect(routing.log).toEqual(['bury 1', 'bury 1', 'cancel 1', 'finished 1']);
  });

  it('gives back a dead letter that was refused while the crew closes, once', async () => {
    const routing = new Routing({ retriesMax: 0 });
    routing.bury = () => Promise.reject(new Error('no room'));
    routing.take(1);
    routing.report(1, failed);
    routing.router.close();
    await routing.turn();
    routing.pass(1_000);
    await routing.turn();
    expect(routing.log).toEqual(['bury 1', 'finished 1']);
    expect(routing.unfinished).toEqual([[1, 1]]);
  });

  it.each(['taken', 'refused'])(
    'decides nothing of a dead letter that was given back before it was %s',
    async (how) => {
      const routing = new Routing({ retriesMax: 0 });
      const answer = how === 'taken' ? Promise.resolve() : Promise.reject(new Error('no room'));
      routing.bury = () => answer;
      routing.take(1);
      routing.report(1, failed);
      routing.router.close();
      routing.router.giveBackAll();
      await routing.turn();
      routing.pass(1_000);
      expect(routing.log).toEqual(['bury 1', 'finished 1']);
      expect(routing.router).toMatchObject({ deadLettered: 0, deadLetterFailures: 0, delayed: 0 });
      expect(routing.unfinished).toEqual([[1, 1]]);
    },
  );

  it('keeps what a worker has when the crew closes, gives back the rest, and hands out nothing again', async () => {
    const routing = new Routing({ places: 2, retriesMax: 5, by: true });
    routing.take({ id: 1, key: 1 }, { id: 2, key: 2 }, { id: 3, key: 2 }, { id: 4, key: 4 });
    routing.router.close();
    await routing.turn();
    expect(routing.log).toEqual(['put back 3', 'put back 4', 'finished 3', 'finished 4']);
    routing.report(1, failed); // it is not handed out again
    routing.report(2, returned); // the next of its key was given back
    routing.pass(1_000);
    await routing.turn();
    expect(routing.log.slice(4)).toEqual(['confirm 2', 'finished 1', 'finished 2']);
    expect(routing.unfinished).toEqual([
      [1, 1],
      [3, 0],
      [4, 0],
    ]);
    expect([routing.seat().sent, routing.router.inHand]).toEqual([[1, 2], 0]);
  });

  it('sends no order that it has given back, though a place becomes free', () => {
    const routing = new Routing({ places: 1 });
    routing.take(1, 2);
    routing.router.close();
    routing.report(1, returned);
    expect([routing.seat().sent, routing.unfinished]).toEqual([[1], [[2, 0]]]);
  });

  it('waits for a dead letter that is on its way when the crew closes: taken, it is not given back', async () => {
    const routing = new Routing({ retriesMax: 0 });
    routing.take(1);
    routing.report(1, failed);
    routing.router.close();
    await routing.turn();
    expect([routing.log, routing.unfinished]).toEqual([['bury 1', 'cancel 1', 'finished 1'], []]);
  });

  it('gives the place of an order that the dead letters have not taken yet to the next', () => {
    const routing = new Routing({ places: 1, retriesMax: 0 });
    routing.bury = () => new Promise(() => {});
    routing.take(1, 2);
    routing.report(1, failed);
    expect(routing.seat().sent).toEqual([1, 2]);
  });

  it('hands out a delayed order no more that it has given back', async () => {
    const routing = new Routing();
    routing.take(1);
    routing.report(1, failed);
    routing.router.close();
    routing.pass(1_000);
    await routing.turn();
    expect([routing.seat().sent, routing.unfinished]).toEqual([[1], [[1, 1]]]);
    expect(routing.log).toEqual(['finished 1']); // it counts as delivered: it is not put back
  });

  it('keeps the orders of a key behind each other, and at one worker', () => {
    const routing = new Routing({ seats: 2, places: 2, by: true });
    routing.take({ id: 1, key: 'a' }, { id: 2, key: 'a' }, { id: 3, key: 'b' }, { id: 4, key: 'a' });
    expect(routing.seats.map(({ sent }) => sent)).toEqual([[1], [3]]);
    routing.report(1, returned);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([[1, 2], [3]]);
    routing.report(2, failed);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([[1, 2], [3]]);
    routing.pass(100);
    routing.report(2, returned);
    expect(routing.seats.map(({ sent }) => sent)).toEqual([[1, 2, 2, 4], [3]]);
  });

  it.each([NaN, undefined, {}, Symbol('key')])(
    'offers an order without a key to the dead letters: %s',
    async (key) => {
      const routing = new Routing({ by: true });
      routing.take({ id: 1, key });
      await routing.turn();
      expect(routing.log).toEqual(['bury 1', 'cancel 1', 'finished 1']);
    },
  );

  it('offers an order that cannot be sent to the dead letters, and the others go on', async () => {
    const routing = new Routing();
    routing.seat().refuse = ({ id }) => {
      if (id === 1) throw new TypeError('a bad field');
    };
    routing.take(1, 2);
    await routing.turn();
    expect(routing.log).toEqual(['bury 1', 'cancel 1', 'finished 1']);
    expect(routing.seat().sent).toEqual([2]);
  });
});
