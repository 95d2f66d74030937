import { type Permit, Queue, type QueueOptions, record, u32, u53, utf8 } from 'sluice';
import { type Dropped, type Entry, QueueAuditor } from '../auditor/queue.js';
import { holds, outcome, same } from '../divergence.js';
import type { Driver, Operation, Random } from '../operation.js';
import { aborted, inTime, Waits } from '../waits.js';
import { drawQueue, type QueueOperation } from './queue-operations.js';
import type { Time } from './time.js';

export interface QueueScenario {
  readonly capacity: number;
  readonly lanes: number;
  readonly laneWeights?: readonly number[];
  /**
   * 0: records never expire. -1: only records with a `ttlMs` of their own do; it means Infinity, which does not survive
   * JSON.
   */
  readonly ttlMs: number;
  readonly overflow: 'reject' | 'drop-oldest' | 'overwrite';
  readonly latency: boolean;
  readonly commit: boolean;
  readonly maxWaiting: number;
  readonly objects: number;
  readonly weights: Readonly<Record<string, number>>;
}

const Row = record({ number: u53, mark: u32, text: utf8(12) });
interface Row {
  readonly number: number;
  readonly mark: number;
  readonly text: string;
}

/** Makes a record that differs from every other one in each field. */
function row(name: number, i = 0): Row {
  const number = name * 100 + i;
  return { number, mark: (number * 2_654_435_761) % 2 ** 32, text: `r${number}` };
}

/** A queue with several objects, of which one at a time consumes, beside its auditor. */
export class QueueDriver implements Driver {
  readonly auditor: QueueAuditor<Row>;
  readonly objects: Queue<Row>[];
  readonly #dropped: Array<Dropped<Row>> = [];
  readonly #permits = new Map<number, Permit<Row>>();
  readonly #waits = new Waits<unknown>();
  readonly #aborts = new Map<number, AbortController>();

  constructor(
    readonly scenario: QueueScenario,
    readonly time: Time,
  ) {
    const { capacity, lanes, laneWeights, ttlMs, overflow, latency, maxWaiting, objects, commit } = scenario;
    const dropOldest = overflow === 'drop-oldest';
    const overwrites = overflow === 'overwrite';
    const weights = laneWeights ?? [21 - lanes, ...Array.from({ length: lanes - 1 }, () => 1)];
    this.auditor = new QueueAuditor({ capacity, lanes, weights, dropOldest, overwrites, maxWaiting });
    const options: QueueOptions<Row> = {
      capacity,
      lanes,
      latency,
      maxWaiting,
      commit,
      clock: time.clock,
      ...(laneWeights && { weights: laneWeights }),
      ...(ttlMs !== 0 && { ttlMs: ttlMs < 0 ? Number.POSITIVE_INFINITY : ttlMs }),
      overflow,
    };
    const first = Queue.create(Row, options);
    const attached = Array.from({ length: objects - 1 }, () => Queue.attach(Row, first.handle));
    this.objects = [first, ...attached].map((queue) => this.#listened(queue));
  }

  draw(random: Random, name: number): Operation | undefined {
    const known = {
      permits: [...this.#permits.keys()],
      waiting: this.#waits.pending,
      lease: this.auditor.lease,
    };
    return drawQueue(random, name, this.scenario, known);
  }

  run(operation: Operation): void {
    const given = operation as QueueOperation;
    const { auditor } = this;
    const by = given.by % this.objects.length;
    const queue = this.objects[by] as Queue<Row>;
    switch (given.do) {
      case 'push': {
        const taken = auditor.push(given.lane, [this.#entry(row(given.name), given.ttlMs)]);
        const expected = taken < 0 ? { error: 'ERR_SLUICE_CLOSED' } : taken === 1;
        same(
          'tryPush',
          outcome(() => queue.tryPush(row(given.name), options(given))),
          expected,
        );
        return;
      }
      case 'pushMany': {
        const list = Array.from({ length: given.count }, (_, i) => row(given.name, i));
        const taken = auditor.push(
          given.lane,
          list.map((value) => this.#entry(value, given.ttlMs)),
        );
        const expected = taken < 0 ? { error: 'ERR_SLUICE_CLOSED' } : taken;
        same(
          'tryPushMany',
          outcome(() => queue.tryPushMany(list, options(given))),
          expected,
        );
        return;
      }
      case 'pushWaiting': {
        const signal = this.#abortable(given.name);
        const promise = queue.push(row(given.name), { ...options(given), signal });
        this.#waits.add(given.name, promise, () => 'pushed');
        auditor.pushWaiting(given.name, by, given.lane, this.#entry(row(given.name), given.ttlMs));
        return;
      }
      case 'reserve': {
        const reserved = auditor.reserve(given.name, by, given.lane, given.count);
        const permit = outcome(() => queue.tryReserve(given.count, { lane: given.lane }));
        if (reserved === 'closed') {
          same('tryReserve', permit, { error: 'ERR_SLUICE_CLOSED' });
          return;
        }
        if (reserved === 'full') {
          same('tryReserve', permit, undefined);
          return;
        }
        const { remaining } = permit as Permit<Row>;
        this.#permits.set(given.name, permit as Permit<Row>);
        same('tryReserve', remaining, given.count);
        return;
      }
      case 'reserveWaiting': {
        // If the signal aborts after the wait, the permit is returned: see 'abort'.
        const promise = queue.reserve(given.count, { lane: given.lane, signal: this.#abortable(given.name) });
        this.#waits.add(given.name, promise, (permit) => {
          this.#permits.set(given.name, permit as Permit<Row>);
          return 'reserved';
        });
        auditor.reserveWaiting(given.name, by, given.lane, given.count);
        return;
      }
      case 'send': {
        const permit = this.#permits.get(given.of);
        if (permit === undefined) return;
        const owner = auditor.permits.get(given.of)?.owner;
        const sent = auditor.send(given.of, this.#entry(row(given.name), undefined));
        const answer = outcome(() => permit.send(row(given.name)));
        // The permit of an object that was disposed of is gone, too.
        const gone = owner === undefined || this.#diedSince.has(given.of);
        same(
          'send',
          answer,
          sent ? undefined : { error: gone ? 'ERR_SLUICE_DISPOSED' : 'ERR_SLUICE_PERMIT' },
        );
        return;
      }
      case 'giveBack': {
        auditor.giveBack(given.of);
        this.#permits.get(given.of)?.[Symbol.dispose]();
        this.#diedSince.delete(given.of);
        return;
      }
      case 'abort': {
        const left = auditor.leave(given.of);
        // An abort after the wait returns the rest of a permit.
        auditor.giveBack(given.of);
        this.#aborts.get(given.of)?.abort(aborted);
        this.#diedSince.delete(given.of);
        if (left) auditor.ended.set(given.of, 'aborted');
        return;
      }
      case 'pop':
        this.#consumed('popMany', by, queue, given.max, () => queue.popMany(given.max));
        return;
      case 'popOne':
        this.#consumed('tryPop', by, queue, 1, () => [queue.tryPop()].filter((one) => one !== undefined));
        return;
      case 'drain':
        this.#consumed('drain', by, queue, given.max, () => {
          const seen: Row[] = [];
          const count = queue.drain((view) => seen.push(view.toObject()), given.max);
          same('the count of drain', count, seen.length);
          return seen;
        });
        return;
      case 'empty': {
        const promise = queue.empty({ signal: this.#abortable(given.name) });
        this.#waits.add(given.name, promise, () => 'empty');
        auditor.awaitEmpty(given.name, by);
        return;
      }
      case 'releaseLease':
        if (auditor.lease === by) auditor.lease = undefined;
        queue.releaseLease();
        return;
      case 'close':
        same('close', queue.close(), auditor.close());
        return;
      case 'die':
        this.#die(by, queue);
        return;
    }
  }

  async settle(): Promise<void> {
    const { auditor } = this;
    auditor.serve();
    const ended = new Map(auditor.ended);
    auditor.ended.clear();
    await this.#waits.settle('a wait for room', ended);
    for (const [name, how] of ended) if (how !== 'reserved') this.#aborts.delete(name);
    const controller = new AbortController();
    const empty = this.object(0).empty({ signal: controller.signal });
    controller.abort(aborted);
    const looked = empty.then(
      () => true,
      () => false,
    );
    const isEmpty = await inTime(looked, 'an aborted wait for the end should have ended');
    same('empty', isEmpty, auditor.depth === 0);
  }

  check(): void {
    const { auditor } = this;
    const queue = this.objects[0] as Queue<Row>;
    const { wakeups: _, path: _path, waitNs, shed, ...stats } = queue.stats();
    same('stats of the queue', stats, {
      ...auditor.counters,
      depth: auditor.depth,
      highWater: auditor.highWater,
      waiting: auditor.waiting,
      permits: auditor.permitsLeft,
    });
    same('records shed', shed, 0);
    holds(
      'pushed = popped + expired + dropped + depth',
      stats.pushed === stats.popped + stats.expired + stats.dropped + stats.depth,
      stats,
    );
    same('closed', queue.closed, auditor.closed);
    same('records dropped', this.#dropped.splice(0), auditor.drops.splice(0));
    if (!this.scenario.latency) return;
    // A wait is measured when its record is first shown. A drain that looks again may show a record before it consumes
    // it.
    const { count } = waitNs;
    holds('waits are measured', count >= stats.popped && count <= stats.pushed, { count, ...stats });
  }

  dueTimes(): number[] {
    return this.auditor.lanes
      .flatMap(({ entries }) => entries.map(({ deadline }) => deadline))
      .filter(Number.isFinite);
  }

  dispose(): void {
    for (const controller of this.#aborts.values()) controller.abort(aborted);
    for (const queue of this.objects) queue[Symbol.dispose]();
  }

  /** The permits that were left to objects when these were disposed of, by the name of the step that reserved them. */
  readonly #diedSince = new Set<number>();

  object(by: number): Queue<Row> {
    return this.objects[by % this.objects.length] as Queue<Row>;
  }

  #consumed(what: string, by: number, queue: Queue<Row>, max: number, call: () => Row[]): void {
    const { auditor } = this;
    if (auditor.lease !== undefined && auditor.lease !== by) {
      same(what, outcome(call), { error: 'ERR_SLUICE_CONSUMER' });
      return;
    }
    auditor.lease = by;
    const { overflow, ttlMs } = this.scenario;
    const once = what === 'popMany' && overflow !== 'drop-oldest' && ttlMs === 0 && max <= 64;
    // If records can expire, a drain looks again after each visit, because with a manual clock the visit may have taken
    // any time. A drain also does so if a push may overwrite what was shown.
    const oneByOne = what === 'drain' && (ttlMs !== 0 || overflow === 'overwrite');
    const most = oneByOne ? 1 : 64;
    const expected = auditor.pop(max, this.time.now, { once, most });
    same(what, outcome(call), expected);
    holds('the object that consumes is alive', queue.depth >= 0);
  }

  #die(by: number, queue: Queue<Row>): void {
    const { auditor } = this;
    for (const [name, permit] of auditor.permits)
      if (permit.owner === by && permit.left > 0) this.#diedSince.add(name);
    queue[Symbol.dispose]();
    auditor.die(by);
    const other = this.objects[(by + 1) % this.objects.length] as Queue<Row>;
    this.objects[by] = this.#listened(Queue.attach(Row, other.handle));
  }

  #entry(value: Row, ttlMs: number | undefined): Entry<Row> {
    const ms = ttlMs ?? (this.scenario.ttlMs > 0 ? this.scenario.ttlMs : Number.POSITIVE_INFINITY);
    return { value, deadline: this.time.now + Math.round(ms * 1e6) };
  }

  #abortable(name: number): AbortSignal {
    const controller = new AbortController();
    this.#aborts.set(name, controller);
    return controller.signal;
  }

  #listened(queue: Queue<Row>): Queue<Row> {
    queue.on('expired', (value) => this.#dropped.push({ value, reason: 'expired' }));
    queue.on('dropped', (value, reason) => this.#dropped.push({ value, reason: reason as 'oldest' }));
    return queue;
  }
}

function options({ lane, ttlMs }: { lane: number; ttlMs?: number }): { lane: number; ttlMs?: number } {
  return ttlMs === undefined ? { lane } : { lane, ttlMs };
}
