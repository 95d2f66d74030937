import { setImmediate as immediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect } from 'vitest';
import { expectError, rejected, thrown } from '../../thrown.js';
import { numbers } from '../until.js';
import { endsWith } from './loops.js';
import type { Model } from './model.js';
import type { Real, Rows } from './real.js';

type Command = fc.AsyncCommand<Model, Real>;

const object = fc.nat({ max: 1 });
const lane = fc.nat({ max: 2 });
const ttlMs = fc.constantFrom(undefined, undefined, 3, 20, Number.POSITIVE_INFINITY);
const small = fc.integer({ min: 1, max: 12 });
const count = fc.oneof(small, fc.integer({ min: 1, max: 200 }));

/** Makes a command that also compares the model with the queue after it has run. */
function command<T extends unknown[]>(
  name: string,
  given: { [K in keyof T]: fc.Arbitrary<T[K]> },
  run: (model: Model, real: Real, ...values: T) => void | Promise<void>,
): fc.Arbitrary<Command> {
  return fc.tuple(...given).map((values) => ({
    check: () => true,
    async run(model, real) {
      await run(model, real, ...(values as T));
      await real.compare(model);
    },
    toString: () => `${name}(${values.map(String).join(', ')})`,
  }));
}

/** Returns the options of a push that this queue takes, and their values for the model. */
function pushOptions(model: Model, wanted: number, ttl: number | undefined) {
  const at = wanted % model.config.lanes;
  return {
    at,
    ttl: model.config.ttlMs && ttl,
    options: { lane: at, ...(model.config.ttlMs && ttl ? { ttlMs: ttl } : {}) },
  };
}

function refusedWhenClosed(model: Model, act: () => unknown): boolean {
  if (!model.closed) return false;
  expectError(thrown(act), 'ERR_SLUICE_CLOSED');
  return true;
}

/** Returns whether object `who` may consume. If it may not, checks that consuming throws. */
function consumes(model: Model, who: number, act: () => unknown): boolean {
  if (model.consumer === undefined || model.consumer === who) {
    model.consumer = who;
    return true;
  }
  expectError(thrown(act), 'ERR_SLUICE_CONSUMER');
  return false;
}

function popping(name: string, pop: (queue: Rows, max: number) => number[], max: (wanted: number) => number) {
  return command(name, [object, count], (model, real, who, wanted) => {
    const act = () => pop(real.object(who), wanted);
    if (consumes(model, who, act)) expect(act()).toEqual(model.pop(max(wanted)));
  });
}

/** Starts a wait for room, or checks that the wait is refused. `waiter` describes what `start` waits for. */
function waiting(
  model: Model,
  real: Real,
  who: number,
  at: number,
  start: (signal: AbortSignal) => Promise<unknown>,
  waiter: { number?: number; ttl?: number | undefined; permits: number },
): Promise<void> | undefined {
  if (model.closed || !couldWait(model)) {
    const code = model.closed ? 'ERR_SLUICE_CLOSED' : 'ERR_SLUICE_WAITERS';
    if (!model.closed) model.waitersRefused++;
    return rejected(start(new AbortController().signal)).then((error) => expectError(error, code));
  }
  const id = real.wait(who, at, start);
  const item = waiter.number === undefined ? undefined : model.item(waiter.number, waiter.ttl);
  model.wait(model.lane(at), { id, object: who, item, permits: waiter.permits });
  return undefined;
}
/** Returns what a loop that takes records one by one gets before it would sleep, at most `most` records. */
function oneByOne(model: Model, who: number, most: number): number[] {
  model.consumer = who;
  const numbers: number[] = [];
  for (let i = 0; i < most; i++) numbers.push(...model.consume(1, 1));
  return numbers;
}

const couldWait = (model: Model) => model.waiting < model.config.maxWaiting;

export const commands: Array<fc.Arbitrary<Command>> = [
  command('tryPush', [object, lane, ttlMs], (model, real, who, wanted, given) => {
    const { at, ttl, options } = pushOptions(model, wanted, given);
    const value = { number: real.next++ };
    const act = () => real.object(who).tryPush(value, options);
    if (refusedWhenClosed(model, act)) return;
    const taken = model.push(model.lane(at), [model.item(value.number, ttl)]);
    if (taken === 0) model.spill([value.number]);
    expect(act()).toBe(taken === 1);
  }),
  command('tryPushMany', [object, lane, ttlMs, count], (model, real, who, wanted, given, many) => {
    const { at, ttl, options } = pushOptions(model, wanted, given);
    const list = Array.from({ length: many }, () => ({ number: real.next++ }));
    const act = () => real.object(who).tryPushMany(list, options);
    if (refusedWhenClosed(model, act)) return;
    const items = list.map(({ number }) => model.item(number, ttl));
    const taken = model.push(model.lane(at), items);
    model.spill(numbers(list).slice(taken));
    expect(act()).toBe(taken);
  }),
  command('push', [object, lane, ttlMs], async (model, real, who, wanted, given) => {
    const { at, ttl, options } = pushOptions(model, wanted, given);
    const number = real.next++;
    const start = (signal?: AbortSignal) =>
      real.object(who).push({ number }, { ...options, ...(signal && { signal }) });
    if (!model.closed && model.open(model.lane(at)) > 0) {
      model.add(model.lane(at), model.item(number, ttl));
      await start();
    } else await waiting(model, real, who, at, start, { number, ttl, permits: 0 });
  }),
  command('push that does not wait', [object, lane], async (model, real, who, wanted) => {
    const at = wanted % model.config.lanes;
    const number = real.next++;
    const pushing = real.object(who).push({ number }, { lane: at, timeoutMs: 0 });
    if (model.closed) return expectError(await rejected(pushing), 'ERR_SLUICE_CLOSED');
    if (model.push(model.lane(at), [model.item(number, undefined)]) === 1) await pushing;
    else expectError(await rejected(pushing), 'ERR_SLUICE_TIMEOUT');
  }),
  command('pushSync', [object, lane, fc.constantFrom(0, 0.01)], (model, real, who, wanted, timeoutMs) => {
    const at = wanted % model.config.lanes;
    const number = real.next++;
    const act = () => real.object(who).pushSync({ number }, timeoutMs, { lane: at });
    if (refusedWhenClosed(model, act)) return;
    if (model.open(model.lane(at)) > 0) {
      model.add(model.lane(at), model.item(number, undefined));
      expect(act()).toBe(true);
    } else if (timeoutMs === 0) {
      model.rejected++;
      expect(act()).toBe(false);
    } else if (couldWait(model)) {
      expect(act()).toBe(false);
    } else {
      model.waitersRefused++;
      expectError(thrown(act), 'ERR_SLUICE_WAITERS');
    }
  }),
  command('reserve', [object, lane, small], async (model, real, who, wanted, most) => {
    const at = wanted % model.config.lanes;
    const permits = Math.min(most, model.config.capacity);
    const start = (signal?: AbortSignal) =>
      real.object(who).reserve(permits, { lane: at, ...(signal && { signal }) });
    if (!model.closed && model.open(model.lane(at)) >= permits) {
      model.lane(at).permits[who] = (model.lane(at).permits[who] ?? 0) + permits;
      real.permits.push({ permit: await start(), lane: at, object: who });
    } else await waiting(model, real, who, at, start, { permits });
    model.serve(model.lane(at));
  }),
  command('tryReserve', [object, lane, small], (model, real, who, wanted, most) => {
    const at = wanted % model.config.lanes;
    const permits = Math.min(most, model.config.capacity);
    const act = () => real.object(who).tryReserve(permits, { lane: at });
    if (refusedWhenClosed(model, act)) return;
    const permit = act();
    expect(permit !== undefined).toBe(model.open(model.lane(at)) >= permits);
    if (permit === undefined) return;
    model.lane(at).permits[who] = (model.lane(at).permits[who] ?? 0) + permits;
    real.permits.push({ permit, lane: at, object: who });
  }),
  command('send', [small], (model, real, which) => {
    const held = real.permits[which % Math.max(1, real.permits.length)];
    if (held === undefined) return;
    const number = real.next++;
    if (held.permit.remaining === 0)
      return expectError(
        thrown(() => held.permit.send({ number })),
        'ERR_SLUICE_PERMIT',
      );
    held.permit.send({ number });
    model.lane(held.lane).permits[held.object] = (model.lane(held.lane).permits[held.object] ?? 0) - 1;
    model.add(model.lane(held.lane), model.item(number, undefined));
  }),
  command('give permits back', [small], (model, real, which) => {
    const [held] = real.permits.splice(which % Math.max(1, real.permits.length), 1);
    if (held === undefined) return;
    const { remaining } = held.permit;
    held.permit[Symbol.dispose]();
    model.givePermits(model.lane(held.lane), held.object, remaining);
  }),
  command('batcher', [object, lane, small, small, small], (model, real, who, wanted, max, many, flushAt) => {
    const at = wanted % model.config.lanes;
    const batcher = real.object(who).batcher({ max, lane: at });
    let gathered: number[] = [];
    let permits = 0;
    const flush = (): void => {
      model.lane(at).permits[who] = (model.lane(at).permits[who] ?? 0) - permits;
      for (const number of gathered) model.add(model.lane(at), model.item(number, undefined));
      model.serve(model.lane(at));
      gathered = [];
      permits = 0;
    };
    for (let i = 0; i < many; i++) {
      const number = real.next++;
      if (permits === 0) {
        if (refusedWhenClosed(model, () => batcher.push({ number }))) break;
        permits = Math.min(max, Math.max(0, model.open(model.lane(at))));
        model.lane(at).permits[who] = (model.lane(at).permits[who] ?? 0) + permits;
      }
      expect(batcher.push({ number })).toBe(permits > 0);
      if (permits === 0) {
        model.rejected++;
        model.spill([number]);
      } else if (gathered.push(number) === permits) flush();
      if (i !== flushAt) continue;
      expect(batcher.flush()).toBe(gathered.length);
      flush();
    }
    expect(batcher.size).toBe(gathered.length);
    batcher[Symbol.dispose]();
    flush();
  }),
  command('abort', [small], (model, real, which) => {
    const ids = [...real.waits.keys()];
    const id = ids[which % Math.max(1, ids.length)];
    if (id === undefined) return;
    real.waits.get(id)?.controller.abort();
    model.leave(id);
  }),
  popping(
    'tryPop',
    (queue) => numbers([queue.tryPop() ?? []].flat()),
    () => 1,
  ),
  popping(
    'popSync',
    (queue) => numbers([queue.popSync(0) ?? []].flat()),
    () => 1,
  ),
  popping(
    'popMany',
    (queue, max) => numbers(queue.popMany(max)),
    (max) => max,
  ),
  command('drain', [object, fc.option(count)], (model, real, who, max) => {
    const seen: number[] = [];
    const visit = ({ number }: { number: number }) => seen.push(number);
    const act = () => (max === null ? real.object(who).drain(visit) : real.object(who).drain(visit, max));
    if (!consumes(model, who, act)) return;
    expect(act()).toBe(seen.length);
    expect(seen).toEqual(model.drain(max ?? model.config.capacity * model.config.lanes));
  }),
  command('drain while time passes', [object, small, fc.constantFrom(1, 4)], (model, real, who, max, ms) => {
    const seen: number[] = [];
    const visit = ({ number }: { number: number }) => {
      seen.push(number);
      real.clock.advance(ms);
    };
    const act = () => real.object(who).drain(visit, max);
    if (!consumes(model, who, act)) return;
    expect(act()).toBe(seen.length);
    const passes = () => {
      model.now += ms;
    };
    expect(seen).toEqual(model.drain(max, passes));
  }),
  command('consume', [object, small], async (model, real, who, batchSize) => {
    const seen: number[] = [];
    const controller = new AbortController();
    const { signal } = controller;
    const consuming = real
      .object(who)
      .consume((batch) => seen.push(...numbers(batch)), { batchSize, signal });
    const expected = () => model.consume(batchSize);
    await endsWith(expected, seen, { model, real, who, consuming, controller });
  }),
  command('consumeInPlace', [object], async (model, real, who) => {
    const seen: number[] = [];
    const controller = new AbortController();
    const { signal } = controller;
    const consuming = real.object(who).consumeInPlace(({ number }) => seen.push(number), { signal });
    const expected = () => model.drain(4_096);
    await endsWith(expected, seen, { model, real, who, consuming, controller });
  }),
  command('for await', [object, small], async (model, real, who, most) => {
    if (model.consumer !== undefined && model.consumer !== who) return;
    const expected = oneByOne(model, who, most);
    const records = real.object(who)[Symbol.asyncIterator]();
    const seen: number[] = [];
    while (seen.length < expected.length) seen.push((await records.next()).value?.number ?? -1);
    if (expected.length < most) {
      const next = records.next(); // waits, or sees the end
      await immediate();
      await records.return();
      expect((await next).done).toBe(true);
    }
    await records.return();
    expect(seen).toEqual(expected);
    model.consumer = undefined;
  }),
  command('readable', [object, small], async (model, real, who, most) => {
    const reader = real.object(who).readable().getReader();
    if (model.consumer !== undefined && model.consumer !== who) {
      expectError(await rejected(reader.read()), 'ERR_SLUICE_CONSUMER');
      return;
    }
    const expected = oneByOne(model, who, most);
    const seen: number[] = [];
    while (seen.length < expected.length) seen.push((await reader.read()).value?.number ?? -1);
    const next = expected.length < most ? reader.read() : undefined; // waits, or sees the end
    await immediate();
    await reader.cancel();
    if (next !== undefined) expect((await next).done).toBe(true);
    expect(seen).toEqual(expected);
    model.consumer = undefined;
  }),
  command('writable', [object, fc.nat({ max: 9 })], async (model, real, who, chance) => {
    const value = { number: real.next++ };
    const closes = chance === 0;
    const writer = real.object(who).writable({ close: closes }).getWriter();
    const closed = writer.closed.catch((error: unknown) => error);
    const writing = writer.write(value);
    if (!model.closed && model.open(model.lane(0)) > 0) {
      model.add(model.lane(0), model.item(value.number, undefined));
      await writing;
      await writer.close();
      if (closes) model.close();
    } else if (model.closed || !couldWait(model)) {
      if (!model.closed) model.waitersRefused++;
      expectError(await rejected(writing), model.closed ? 'ERR_SLUICE_CLOSED' : 'ERR_SLUICE_WAITERS');
    } else {
      const failing = rejected(writing);
      await immediate();
      expect(real.object(who).stats().waiting).toBe(model.waiting + 1);
      const reason = new Error('the stream is aborted');
      await writer.abort(reason);
      expect(await failing).toBe(reason);
    }
    await closed;
  }),
  command(
    'waits that run out of time',
    [object, lane, fc.constantFrom('push', 'reserve')],
    async (model, real, who, wanted, way) => {
      const at = wanted % model.config.lanes;
      if (model.closed || model.open(model.lane(at)) > 0 || !couldWait(model)) return;
      const given = { lane: at, timeoutMs: 0.5 };
      const queue = real.object(who);
      const waiting = way === 'push' ? queue.push({ number: real.next++ }, given) : queue.reserve(1, given);
      expectError(await rejected(waiting), 'ERR_SLUICE_TIMEOUT');
    },
  ),
  command('on, off', [object], (model, real, who) => {
    model.listens[who] = !model.listens[who];
    if (model.listens[who]) real.listen(real.object(who));
    else real.ignore(real.object(who));
  }),
  command('ref, unref', [object, fc.boolean()], (_model, real, who, keeps) => {
    const queue = real.object(who);
    expect(keeps ? queue.ref() : queue.unref()).toBe(queue);
  }),
  command('releaseLease', [object], (model, real, who) => {
    real.object(who).releaseLease();
    if (model.consumer === who) model.consumer = undefined;
  }),
  command('advance', [fc.constantFrom(1, 2, 9, 30)], (model, real, ms) => {
    real.clock.advance(ms);
    model.now += ms;
  }),
  command('dispose and attach again', [object], (model, real, who) => {
    real.replace(who)[Symbol.dispose]();
    model.dispose(who);
  }),
  command('asyncDispose and attach again', [object, fc.nat({ max: 9 })], async (model, real, who, chance) => {
    const isConsumedByOther = model.consumer !== undefined && model.consumer !== who;
    if (chance !== 0 || (isConsumedByOther && (model.depth > 0 || model.permits > 0))) return;
    const old = real.replace(who);
    await old[Symbol.asyncDispose]();
    model.close();
    model.dispose(who);
  }),
  command('close', [object, fc.nat({ max: 5 })], (model, real, who, chance) => {
    if (chance === 0) expect(real.object(who).close()).toBe(model.close());
    for (const queue of real.objects) {
      expect(queue.closed).toBe(model.closed);
      expect(queue.depth).toBe(model.depth);
    }
  }),
  command('empty', [object], async (model, real, who) => {
    const empty = real.object(who).empty({ timeoutMs: 0 });
    if (model.depth === 0) await empty;
    else expectError(await rejected(empty), 'ERR_SLUICE_TIMEOUT');
  }),
  command('drained', [object], async (model, real, who) => {
    const drained = real.object(who).drained({ timeoutMs: 0 });
    if (model.drained) await drained;
    else expectError(await rejected(drained), 'ERR_SLUICE_TIMEOUT');
  }),
];
