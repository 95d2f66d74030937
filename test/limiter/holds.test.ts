import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Limiter, type LimiterOptions } from 'sluice';
import { describe, expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';

const sluice = new URL('../../dist/index.js', import.meta.url).href;
async function until(done: () => boolean): Promise<void> {
  while (!done()) await turn();
}

/** Starts a thread that attaches the limiter as `limiter` and runs `code` in an async function. Resolves after that. */
async function thread(limiter: Limiter, code: string): Promise<Worker> {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.sluice).then(async ({ Limiter }) => {
      const limiter = Limiter.attach(workerData.handle);
      globalThis.kept = limiter; // a collected limiter gives back what its decisions hold
      parentPort.on('message', () => {}); // goes on until it is ended
      ${code}
      parentPort.postMessage('done');
    });`;
  const worker = new Worker(program, { eval: true, workerData: { sluice, handle: limiter.handle } });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  return worker;
}
const depth = (max: number, more: Partial<LimiterOptions> = {}) =>
  Limiter.create({ queueDepth: { max }, ...more });

describe('what the depth tier holds', () => {
  it.each([
    ['is terminated', (worker: Worker) => worker.terminate()],
    ['exits', (worker: Worker) => worker.postMessage('exit')],
    ['fails', (worker: Worker) => worker.postMessage('fail')],
  ])('for the decisions of a thread comes back when the thread %s', async (_, end) => {
    const limiter = depth(20);
    const other = limiter.tryAcquire({ cost: 2 });
    const worker = await thread(
      limiter,
      `parentPort.on('message', (how) => { if (how === 'exit') process.exit(); throw new Error('failed'); });
       limiter.tryAcquire({ cost: 3 });
       await limiter.acquire({ cost: 4 });
       const released = limiter.tryAcquire({ cost: 5 });
       released.release();
       released.release();
       limiter.tryAcquire({ cost: 6 });
       limiter.release(6);`,
    );
    worker.on('error', () => {});
    expect(limiter.stats().inFlight).toBe(9);
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    void end(worker);
    await exited;
    expect(limiter.stats().inFlight).toBe(2);
    if (other.allowed) other.release();
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('comes back for each key, also for guests, and lets waiters go on', async () => {
    const limiter = depth(1, { keys: { max: 8 } }); // the table is one set of 16 places
    const worker = await thread(limiter, 'for (let i = 0; i < 30; i++) limiter.tryAcquire({ key: i });');
    expect(limiter.stats()).toMatchObject({ inFlight: 30, keys: 30, overflowed: 14 });
    const waiting = limiter.acquire({ key: 3 });
    expect(limiter.stats().waiting).toBe(1);
    await worker.terminate();
    expect(await waiting).toMatchObject({ allowed: true });
    expect(limiter.stats()).toMatchObject({ inFlight: 1, waiting: 0 });
  });

  it('for a waiter that was served belongs to the thread that waited', async () => {
    const limiter = depth(1);
    limiter.allow();
    const served = thread(limiter, 'await limiter.acquire();');
    await until(() => limiter.stats().waiting === 1);
    limiter.release();
    const worker = await served;
    expect(limiter.stats().inFlight).toBe(1);
    await worker.terminate();
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('for allow() belongs to no thread: any thread may release it, and it stays until one does', async () => {
    const limiter = depth(10);
    const worker = await thread(limiter, 'limiter.allow(undefined, 4);');
    await worker.terminate();
    expect(limiter.stats().inFlight).toBe(4);
    limiter.release(4);
    expectError(
      thrown(() => limiter.release()),
      'ERR_SLUICE_RELEASE',
    );
  });

  it('comes back when the limiter is disposed of, and only once', () => {
    const limiter = depth(10);
    const other = Limiter.attach(limiter.handle);
    const decisions = [other.tryAcquire({ cost: 3 }), other.tryAcquire({ cost: 2 })];
    limiter.allow();
    for (const decision of decisions.slice(1)) if (decision.allowed) decision.release();
    expect(limiter.stats().inFlight).toBe(4);
    other[Symbol.dispose]();
    for (const decision of decisions) if (decision.allowed) decision.release();
    expect(limiter.stats().inFlight).toBe(1);
  });

  it('comes back as well after a release of more than there is, which gives back nothing', () => {
    const limiter = depth(10);
    const other = Limiter.attach(limiter.handle);
    other.tryAcquire({ cost: 3 });
    expectError(
      thrown(() => other.release(4)),
      'ERR_SLUICE_RELEASE',
    );
    expect(limiter.stats().inFlight).toBe(3);
    other[Symbol.dispose]();
    expect(limiter.stats().inFlight).toBe(0);
  });

  it('in a dry run comes back as well', async () => {
    const limiter = depth(1, { enforce: false });
    const worker = await thread(limiter, 'for (let i = 0; i < 5; i++) limiter.tryAcquire();');
    expect(limiter.stats().inFlight).toBe(5);
    await worker.terminate();
    expect(limiter.stats().inFlight).toBe(0);
  });
});

describe('a thread that is ended', () => {
  it('after it has become a waiter, before its first look at its place, leaves no waiter behind', async () => {
    const limiter = depth(1);
    limiter.allow();
    // This is the first step of acquire(). The thread does not get to the second.
    const program = `
      const { nativeLimiter } = await import(new URL('limiter/index.js', workerData.sluice).href);
      nativeLimiter(limiter).acquire(1);`;
    const worker = await thread(limiter, program);
    expect(limiter.stats().waiting).toBe(1);
    await worker.terminate();
    expect(limiter.stats().waiting).toBe(0);
    limiter.release();
    expect(limiter.allow()).toBe(true);
  });
});
