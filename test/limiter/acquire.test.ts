import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Decision, Limiter, ManualClock } from 'sluice';
import { afterEach, describe, expect, it } from 'vitest';
import { expectError, rejected } from '../thrown.js';

const clock = new ManualClock();
const rate = (ratePerSecond: number, burst: number) => ({ tokenBucket: { ratePerSecond, burst }, clock });

/** Lets the event loop turn until `done`. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}
/** Returns a list of the calls' names in the order of their answers, and the function that notes a call. */
function recorded(): { names: string[]; note: (name: string, wait: Promise<Decision>) => void } {
  const names: string[] = [];
  return {
    names,
    note: (name, wait) => {
      void wait.then(
        (decision) => names.push(decision.allowed ? name : `${name} refused by ${decision.tier}`),
        () => names.push(`${name} failed`),
      );
    },
  };
}
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
const timersBefore = timers();
afterEach(() => until(() => timers() <= timersBefore + 1)); // the test runner's own timers come and go

describe('Limiter.acquire', () => {
  it('answers at once what can be allowed now', async () => {
    const limiter = Limiter.create(rate(1, 2));
    expect(await limiter.acquire()).toMatchObject({ allowed: true, remaining: 1 });
  });

  it('sets no timer to wait for a depth, which no clock frees: a release serves', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 } }); // on the real clock
    limiter.allow();
    const before = timers();
    const waits = Array.from({ length: 200 }, () => limiter.acquire());
    expect(timers()).toBeLessThan(before + 100); // the test runner has some timers of its own
    limiter.release();
    for (const wait of waits) {
      const decision = await wait;
      if (decision.allowed) decision.release();
    }
    expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
  });

  it('waits, and serves in the order of the calls, whatever they cost', async () => {
    const limiter = Limiter.create(rate(1, 5));
    limiter.allow(undefined, 5);
    const { names, note } = recorded();
    note('five', limiter.acquire({ cost: 5 }));
    note('one', limiter.acquire());
    note('two', limiter.acquire({ cost: 2 }));
    expect(limiter.stats().waiting).toBe(3);
    clock.advance(4_999);
    for (let i = 0; i < 10; i++) await turn();
    expect(names).toEqual([]);
    clock.advance(1);
    await until(() => names.length === 1);
    clock.advance(3_000);
    await until(() => names.length === 3);
    expect(names).toEqual(['five', 'one', 'two']);
    expect(limiter.stats()).toMatchObject({ waiting: 0, allowed: 4 });
  });

  it('lets no other call overtake', async () => {
    const limiter = Limiter.create(rate(1, 5));
    limiter.allow(undefined, 5);
    const { names, note } = recorded();
    note('three', limiter.acquire({ cost: 3 }));
    clock.advance(2_000); // there are two tokens, but waiters come first
    expect(limiter.tryAcquire()).toMatchObject({ tier: 'waiting-line', retryAfterMs: 2_000 });
    expect(limiter.allow()).toBe(false);
    clock.advance(1_000);
    await until(() => names.length === 1);
    clock.advance(1_000);
    expect(limiter.allow()).toBe(true);
  });

  it('fails at once if its time is too short for it and the waiters before it', async () => {
    const limiter = Limiter.create(rate(1, 1));
    limiter.allow();
    expect(await limiter.acquire({ timeoutMs: 999 })).toMatchObject({
      allowed: false,
      tier: 'token-bucket',
      retryAfterMs: 1_000,
    });
    const { names, note } = recorded();
    note('first', limiter.acquire({ timeoutMs: 1_000 }));
    expect(await limiter.acquire({ timeoutMs: 1_999 })).toMatchObject({
      allowed: false,
      tier: 'waiting-line',
      retryAfterMs: 2_000,
    });
    expect(await limiter.acquire({ cost: 2 })).toMatchObject({ allowed: false, retryAfterMs: Infinity });
    clock.advance(1_000);
    await until(() => names.length === 1);
    expect(names).toEqual(['first']);
  });

  it('gives up at its deadline when work in flight does not end', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, clock });
    limiter.allow();
    const { names, note } = recorded();
    note('impatient', limiter.acquire({ timeoutMs: 500 }));
    note('patient', limiter.acquire());
    clock.advance(500);
    await until(() => names.length === 1);
    limiter.release();
    await until(() => names.length === 2);
    expect(names).toEqual(['impatient refused by queue-depth', 'patient']);
    expect(limiter.stats().inFlight).toBe(1);
  });

  it('keeps the waiters of keys apart', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, keys: { max: 100 }, clock });
    const { names, note } = recorded();
    for (const key of ['a', 'b']) {
      limiter.allow(key);
      note(`${key}1`, limiter.acquire({ key }));
      note(`${key}2`, limiter.acquire({ key }));
    }
    limiter.release(1, 'b');
    await until(() => names.length === 1);
    limiter.release(1, 'a');
    await until(() => names.length === 2);
    expect(names).toEqual(['b1', 'a1']);
    limiter.release(1, 'a');
    limiter.release(1, 'b');
    await until(() => names.length === 4);
    expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 2 });
  });

  it('on abort leaves nothing charged and no listener behind, and the next waiter moves up', async () => {
    const limiter = Limiter.create(rate(1, 5));
    limiter.allow(undefined, 5);
    const controller = new AbortController();
    const reason = new Error('enough');
    const big = limiter.acquire({ cost: 5, signal: controller.signal });
    const { names, note } = recorded();
    note('small', limiter.acquire());
    clock.advance(1_000);
    for (let i = 0; i < 10; i++) await turn();
    expect(names).toEqual([]);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
    controller.abort(reason);
    expect(await rejected(big)).toBe(reason);
    await until(() => names.length === 1);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(limiter.peek({ cost: 5 })).toMatchObject({ retryAfterMs: 5_000 });
    expect(await rejected(limiter.acquire({ signal: controller.signal }))).toBe(reason);
    expect(limiter.stats().waiting).toBe(0);
  });

  it('is refunded if it is aborted after it was served, before its promise settles', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, ...rate(1, 3) });
    limiter.allow();
    const controller = new AbortController();
    const wait = limiter.acquire({ signal: controller.signal });
    limiter.release(); // serves the waiter in this very call
    expect(limiter.stats()).toMatchObject({ inFlight: 1, waiting: 0, allowed: 2 });
    controller.abort();
    await rejected(wait);
    expect(limiter.stats()).toMatchObject({ inFlight: 0, allowed: 1 });
    expect(limiter.peek({ cost: 2 }).allowed).toBe(false);
    limiter.configure({ queueDepth: { max: 5 } });
    expect(limiter.peek({ cost: 2 }).allowed).toBe(true);
  });

  it('follows a limit that changes while it waits', async () => {
    const limiter = Limiter.create(rate(0.001, 10));
    limiter.allow(undefined, 10);
    const { names, note } = recorded();
    note('faster', limiter.acquire({ cost: 5 }));
    note('out of reach', limiter.acquire({ cost: 8, timeoutMs: 1e9 }));
    limiter.configure({ tokenBucket: { ratePerSecond: 5 } });
    clock.advance(1_000);
    await until(() => names.length === 1);
    limiter.configure({ tokenBucket: { burst: 7 } });
    await until(() => names.length === 2);
    expect(names).toEqual(['faster', 'out of reach refused by token-bucket']);
  });

  it('refuses more waiters than maxWaiting', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, maxWaiting: 2, clock });
    limiter.allow();
    const { names, note } = recorded();
    note('one', limiter.acquire());
    note('two', limiter.acquire());
    expect(await limiter.acquire()).toMatchObject({ allowed: false, tier: 'waiting-line' });
    expect(limiter.stats().refused['waiting-line']).toBe(1);
    limiter.release();
    await until(() => names.length === 1);
    limiter.release();
    await until(() => names.length === 2);
  });

  it.each([
    [undefined, 1_024, 64],
    [undefined, 100, 16],
    [3, 1_024, 3],
  ])(
    'of one key leaves the other places for waiters to other keys: %s of %i',
    async (maxWaitingPerKey, maxWaiting, most) => {
      const limiter = Limiter.create({
        queueDepth: { max: 1 },
        keys: { max: 100, ...(maxWaitingPerKey && { maxWaitingPerKey }) },
        maxWaiting,
        clock,
      });
      for (const key of ['greedy', 'honest']) limiter.allow(key);
      const controller = new AbortController();
      const { signal } = controller;
      const greedy = Array.from({ length: most }, () => limiter.acquire({ key: 'greedy', signal }));
      const settled = Promise.allSettled(greedy);
      const more = limiter.acquire({ key: 'greedy', signal });
      expect(limiter.stats().waiting).toBe(most);
      expect(await more).toMatchObject({ allowed: false, tier: 'waiting-line' });
      const honest = limiter.acquire({ key: 'honest' });
      expect(limiter.stats().waiting).toBe(most + 1);
      limiter.release(1, 'honest');
      expect(await honest).toMatchObject({ allowed: true });
      // A waiter that is served leaves its place, and another one of the same key can take it.
      limiter.release(1, 'greedy');
      expect(await greedy[0]).toMatchObject({ allowed: true });
      const next = limiter.acquire({ key: 'greedy', signal }).catch(() => 'waited');
      expect(limiter.stats().waiting).toBe(most);
      controller.abort();
      expect(await next).toBe('waited');
      await settled;
    },
  );

  it('without keys is bounded by maxWaiting alone', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, maxWaiting: 100, clock });
    limiter.allow();
    const waits = Array.from({ length: 100 }, () => limiter.acquire());
    const settled = Promise.allSettled(waits);
    expect(limiter.stats().waiting).toBe(100);
    limiter[Symbol.dispose]();
    await settled;
  });

  it('on the real clock resolves when the token comes', async () => {
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 200, burst: 1 } });
    for (let i = 0; i < 5; i++) expect(await limiter.acquire()).toMatchObject({ allowed: true });
  });

  it('fails when its thread disposes of the limiter', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, clock });
    const other = Limiter.attach(limiter.handle);
    limiter.allow();
    const wait = other.acquire();
    other[Symbol.dispose]();
    expectError(await rejected(wait), 'ERR_SLUICE_DISPOSED');
    expect(limiter.stats().waiting).toBe(0);
  });

  it('serves threads in turn, and goes on when one that waits is terminated', async () => {
    const limiter = Limiter.create({ queueDepth: { max: 1 }, clock });
    limiter.allow();
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.sluice).then(async ({ Limiter }) => {
        parentPort.on('message', () => {}); // stays when it was served
        const limiter = Limiter.attach(workerData.handle);
        globalThis.kept = limiter; // a collected limiter gives back what its decisions hold
        const wait = limiter.acquire();
        parentPort.postMessage('waiting');
        await wait;
        parentPort.postMessage('served');
      });`;
    const sluice = new URL('../../dist/index.js', import.meta.url).href;
    const said: string[] = [];
    const workers: Worker[] = [];
    for (const name of ['first', 'second', 'third']) {
      const worker = new Worker(code, { eval: true, workerData: { sluice, handle: limiter.handle } });
      worker.on('message', (word) => said.push(`${name} ${word}`));
      workers.push(worker);
      await until(() => said.includes(`${name} waiting`));
    }
    limiter.release();
    await until(() => said.includes('first served'));
    await workers[1]?.terminate();
    expect(limiter.stats()).toMatchObject({ waiting: 1, inFlight: 1 });
    await workers[0]?.terminate(); // its depth is given back
    await until(() => said.includes('third served'));
    expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 1 });
    await workers[2]?.terminate();
    expect(said).not.toContain('second served');
    expect(limiter.stats()).toMatchObject({ waiting: 0, inFlight: 0 });
  });
});
