import type { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { SluiceError } from '../../input/index.js';
import { bootTimeMs } from '../../stock/index.js';
import {
  faultOf,
  Link,
  list,
  listInJson,
  noReply,
  Pause,
  publishFault,
  type RedisPort,
  retryMs,
  text,
} from '../client/index.js';
import { missing, NotDurable } from './durability.js';
import { Journal, journalMs, Repetition } from './journal.js';
import type { Lots } from './lots.js';
import type { Answer, Operation, Sending } from './operations.js';
import type { Plan } from './options.js';
import { sync } from './sync-script.js';

const callMsMax = 5_000;
/** About a millisecond and a half of the server. */
const operationsPerCall = 256;
/** How long a process without leases waits before it says something again that the server cannot take yet. */
const againMs = 100;
/** How many ids of admitted orders the server announces to those that come later. */
const announcedMax = 1_000_000;

interface Batch {
  readonly operations: readonly Operation[];
  number: number;
}

interface Waiting {
  readonly operation: Operation;
  readonly until: number;
}

/** What a process has done in a sale, for `stats()`. */
export interface MemberCounts {
  /** Calls of the script that settles orders and leases units, repeated ones included. */
  calls: number;
  /** Calls that failed, for whatever reason. */
  faults: number;
  /** How often the server no longer knew the lease of this process: it had been silent for too long, or was lost. */
  fenced: number;
  /** Operations that were sent once more, because the server had carried them out and lost them. */
  repeated: number;
}

/**
 * This process in a sale. One loop sends everything: one call at a time, with all operations that wait, and without any
 * at each heartbeat.
 */
export class Member {
  readonly counts: MemberCounts = { calls: 0, faults: 0, fenced: 0, repeated: 0 };
  lastFault: string | undefined;
  readonly #plan: Plan;
  readonly #lots: Lots;
  readonly #link: Link;
  readonly #accepted: (id: string) => void;
  readonly #name = randomBytes(12).toString('hex');
  readonly #pause = new Pause();
  readonly #end = new AbortController();
  #waiting: Waiting[] = [];
  #batch: Batch | undefined;
  /** The operations of the batch that is sent whose callers still wait. */
  #sent: Waiting[] = [];
  readonly #journal = new Journal();
  #number = 0;
  /** How often numbers of batches were used again, because the server had lost them. */
  #count = 0;
  #fence = 0;
  #announced = '0';
  #timer: NodeJS.Timeout | undefined;
  isClosing = false;
  /** Whether something must be sent at once. */
  #isDue = true;
  readonly #ended: Promise<void>;

  /** `accepted` is called with the id of each order that any process of the sale has been given. */
  constructor(plan: Plan, lots: Lots, accepted: (id: string) => void) {
    this.#plan = plan;
    this.#lots = lots;
    this.#accepted = accepted;
    this.#link = new Link(plan.redis, plan.keys.items);
    this.#ended = this.#run();
  }

  get isFull(): boolean {
    return this.pending >= this.#plan.maxPending;
  }

  /** How many operations wait for an answer. */
  get pending(): number {
    return this.#waiting.length + (this.#batch?.operations.length ?? 0);
  }

  /** @throws SluiceError `ERR_SLUICE_DISPOSED` once `close` has been called. */
  checkOpen(): void {
    if (this.isClosing) throw new SluiceError('ERR_SLUICE_DISPOSED', 'RedisStock: this object is closed');
  }

  submit(operation: Operation): void {
    this.checkOpen();
    this.#put(operation);
  }

  #put(operation: Operation): void {
    this.#waiting.push({ operation, until: performance.now() + this.#plan.timeoutMs });
    this.#arm();
    if (this.#waiting.length === 1) this.hurry();
  }

  /** Ends the pause between two calls. */
  hurry(): void {
    this.#isDue = true;
    this.#pause.end();
  }

  /** Settles what waits, gives all units back, and leaves the sale. */
  async close(): Promise<void> {
    this.isClosing = true;
    this.hurry();
    await this.#ended;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isDone; ) {
      if (!this.#isDue) await this.#pause.for(this.#restMs, this.#end.signal);
      await new Promise((resolve) => setImmediate(resolve)); // so that what is asked for in one turn goes together
      this.#isDue = false;
      try {
        if (await this.#call()) this.#isDue = true;
        failures = 0;
      } catch (error) {
        this.#fault(error);
        await this.#pause.for(retryMs(++failures), this.#end.signal);
      }
      if (this.#waiting.length > 0 || this.#batch !== undefined || this.isClosing) this.#isDue = true;
    }
    await this.#leave();
    clearTimeout(this.#timer);
    this.#link.close();
  }

  /** True once it is to end, and nothing waits any more. What waits is late at some time. */
  get #isDone(): boolean {
    return this.isClosing && this.#waiting.length === 0 && this.#sent.length === 0;
  }

  get #restMs(): number {
    const { lease } = this.#plan;
    if (lease === undefined) return this.#plan.rememberMs / 4;
    return this.#lots.isBusy ? lease.heartbeatMs : lease.ttlMs / 3;
  }

  #fault(error: unknown): void {
    this.counts.faults++;
    this.lastFault = error instanceof Error ? error.message : String(error);
    this.#lots.unknown();
    publishFault(error);
    if (faultOf(error) === 'final' && !(error instanceof NotDurable)) this.#failAll(error as Error);
  }

  #failAll(error: Error): void {
    const sent = this.#batch?.operations ?? [];
    const unsent = this.#waiting.map(({ operation }) => operation);
    this.#batch = undefined;
    this.#sent = [];
    this.#waiting = [];
    for (const operation of sent) operation.failed(error, true);
    for (const operation of unsent) operation.failed(error, false);
  }

  /** Makes one call. Returns whether another one must follow at once. */
  async #call(): Promise<boolean> {
    this.#batch ??= this.#nextBatch();
    const batch = this.#batch;
    const operations = batch?.operations ?? [];
    for (const operation of operations) operation.prepare?.();
    const { lots, given } = this.#lots.wishes();
    const streams: string[] = [];
    const bodies: Buffer[] = [];
    const sending: Sending = {
      stream: (key) => (streams.includes(key) ? streams.indexOf(key) + 1 : streams.push(key)),
      bytes: (bytes) => bodies.push(bytes),
    };
    const wanted = JSON.stringify(operations.map((operation) => operation.values(sending)));
    const { plan, ttlMs } = { plan: this.#plan, ttlMs: this.#plan.lease?.ttlMs ?? 0 };
    const args = [
      ...[this.#name, this.#fence, ttlMs, this.#count, batch?.number ?? 0, operations.length],
      ...[plan.rememberMs, plan.movements, announcedMax, this.#announced, lots.length, ...given, wanted],
    ];
    const sentAt = bootTimeMs();
    this.counts.calls++;
    const reply = list(
      await this.#link.use(this.#callMs + this.#waitMs, async (port) => {
        const said = await sync.run(port, [...plan.keys.all, ...streams], [...args, ...bodies]);
        if (batch !== undefined && isDone(said)) await this.#durable(port);
        return said;
      }),
    );
    switch (text(reply[0])) {
      case 'ok':
      case 'dup':
        return this.#heard(reply, batch, () => this.#lots.heard(lots, reply[3], sentAt));
      case 'fenced':
        this.counts.fenced++;
        this.#fence = 0;
        this.#lots.lost();
        return true;
      case 'gap':
        this.#repeat(whole(reply[1]));
        return true;
      case 'gone':
        throw new Error(`ERR the sale ${plan.keys.begin} is gone`);
      case 'format':
        throw new Error(`ERR the sale ${plan.keys.begin} is of another version: ${text(reply[1])}`);
      default:
        throw noReply('a status');
    }
  }

  /** Takes an answer. Nothing is changed unless all of it is what the script answers. */
  #heard(reply: readonly unknown[], batch: Batch | undefined, heardOfItems: () => boolean): boolean {
    const operations = batch?.operations ?? [];
    const answers = operations.length === 0 ? [] : listInJson(reply[4]).map(list);
    const [last, ...news] = list(reply[5]);
    const accepted = news.flatMap(listInJson).map(text);
    const [fence, number] = [whole(reply[1]), whole(reply[2])];
    if (operations.length > 0 && answers.length !== operations.length)
      throw noReply('one answer per operation');
    if (!operations.every((operation, i) => operation.isAnswer(answers[i] as Answer))) {
      throw noReply('an answer that belongs to the operation');
    }
    const mustGive = heardOfItems();
    this.#fence = fence;
    for (const id of accepted) this.#accepted(id);
    this.#announced = last === undefined ? this.#announced : text(last);
    if (batch !== undefined) this.#settle(batch, answers);
    const isBehind = batch === undefined && number < this.#number;
    if (isBehind) this.#repeat(number);
    return mustGive || isBehind || news.length > 0;
  }

  #settle(batch: Batch, answers: readonly Answer[]): void {
    this.#batch = undefined;
    this.#sent = [];
    const kept = batch.operations.filter((operation, i) => operation.settled(answers[i] as Answer));
    this.#journal.add(batch.number, kept);
  }

  #nextBatch(): Batch | undefined {
    if (this.#waiting.length === 0) return undefined;
    this.#sent = this.#waiting.splice(0, operationsPerCall);
    return { operations: this.#sent.map(({ operation }) => operation), number: ++this.#number };
  }

  /** The server has nothing after batch `last`: what was settled since, and is still known, is sent once more. */
  #repeat(last: number): void {
    if (last > this.#number) throw noReply('a number that this process has sent');
    const lost = this.#journal.takeAfter(last);
    this.counts.repeated += lost.length;
    const until = performance.now() + journalMs;
    const present = new Set(this.#sent.map(({ operation }) => operation));
    const late = this.#batch?.operations.filter((operation) => !present.has(operation)) ?? [];
    this.#waiting = [
      ...lost.map((operation) => ({ operation: this.#repetition(operation, until), until })),
      ...this.#sent,
      ...this.#waiting,
    ];
    this.#batch = undefined;
    this.#sent = [];
    this.#number = last;
    this.#count++;
    for (const operation of late) operation.failed(new Error('no answer in time'), true);
  }

  /** How long a call waits for an answer: short enough that a second one has time, on another connection. */
  get #callMs(): number {
    return Math.min(callMsMax, Math.max(100, this.#plan.timeoutMs / 3));
  }

  /**
   * Units for an order that was settled once may be leased by others: it is sent until these have given them back. A
   * reservation may have been made by another process: what becomes of it is sent until that process has said it again.
   */
  #repetition(operation: Operation, until: number): Operation {
    const repetition: Operation = new Repetition(operation, () => {
      if (performance.now() >= until || this.isClosing) return false;
      setTimeout(() => this.#put(repetition), this.#plan.lease?.heartbeatMs ?? againMs);
      return true;
    });
    return repetition;
  }

  get #waitMs(): number {
    const { replicas, fsync, timeoutMs } = this.#plan.durability;
    return (replicas > 0 ? timeoutMs : 0) + (fsync ? timeoutMs : 0);
  }

  /**
   * Waits until as many replicas and disks have what this connection has written as the plan demands. The batch has
   * been carried out by then, whatever becomes of this.
   */
  async #durable(port: RedisPort): Promise<void> {
    const { durability } = this.#plan;
    let had: string;
    try {
      had = await missing(port, durability);
    } catch (error) {
      if (faultOf(error) !== 'final') throw error;
      throw new NotDurable((error as Error).message);
    }
    if (had !== '') throw new NotDurable(`ERR ${had}`);
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const first = this.#sent[0] ?? this.#waiting[0];
    if (first === undefined) return;
    this.#timer = setTimeout(() => this.#sweep(), Math.max(1, first.until - performance.now()));
  }

  /** Tells the callers whose time is over. */
  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    const isLate = ({ until }: Waiting): boolean => until <= now;
    const sent = this.#sent.filter(isLate);
    const unsent = this.#waiting.filter(isLate);
    this.#sent = this.#sent.filter((one) => !isLate(one));
    this.#waiting = this.#waiting.filter((one) => !isLate(one));
    for (const { operation } of sent) operation.late(true);
    for (const { operation } of unsent) operation.late(false);
    this.#arm();
  }

  async #leave(): Promise<void> {
    this.#lots.giveBackAll();
    const { lots, given } = this.#lots.wishes();
    const args = [
      ...[this.#name, this.#fence, 0, this.#count, 0, 0, this.#plan.rememberMs, this.#plan.movements],
      ...[announcedMax, this.#announced, lots.length, ...given, '[]'],
    ];
    try {
      await this.#link.use(this.#callMs, (port) => sync.run(port, this.#plan.keys.all, args));
    } catch {
      // The server gives the units to others when the lease is over.
    }
  }
}

function isDone(reply: unknown): boolean {
  return /^(?:ok|dup)$/.test(text(list(reply)[0]));
}

/** @throws the error of `noReply`. */
function whole(value: unknown): number {
  const number = text(value) === '' ? Number.NaN : Number(text(value));
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw noReply('a whole number');
}
