/** What `sluice trace` found: the shapes of its JSON. Times are microseconds, unless their names say otherwise. */
import type { Kind } from './program.js';

/** How long the waits of one kind of one thread took. */
export interface WaitRow {
  readonly tid: number;
  /** What the thread was seen to do: main, consumer, admits; or its name. */
  readonly role: string;
  readonly kind: Kind;
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly totalMs: number;
}

/** A time, and what its thread did in it. */
export interface Split {
  readonly us: number;
  /** False if it is not known what the thread did; then the parts are 0. */
  readonly split: boolean;
  /** Runnable, without a processor. */
  readonly runQueueUs: number;
  /** Asleep: its handlers await something, or it was not woken yet. */
  readonly asleepUs: number;
  /** The rest, in which it ran. */
  readonly busyUs: number;
  /** What all requests of the process waited in block queues meanwhile, in sum. It overlaps the other parts. */
  readonly blockUs: number;
}

/** A slow order. What was not seen of it is absent. */
export interface Order {
  /** The address of its ring, which tells queues and lanes apart. */
  readonly queue: string;
  readonly position: number;
  /** The reservation, as `hold.reservation` has it; absent without a stock. */
  readonly reservation?: string;
  /** The thread that consumed it. */
  readonly consumer?: number;
  /** From its push to its pop: the state of the consumer. */
  readonly ring?: Split;
  /** From there until it was decided: behind the orders of its batch, and in its handler. */
  readonly inHand?: Split;
  readonly confirmed?: boolean;
  /** The wait of the answer to its admission in a qdisc. */
  readonly answerUs?: number;
}

export interface BpfReport {
  readonly mode: 'bpf';
  readonly pid: number;
  readonly seconds: number;
  readonly slowMs: number;
  readonly waits: readonly WaitRow[];
  /** The slowest first. */
  readonly orders: readonly Order[];
  /** How many orders were slow, also those that are not in `orders`. */
  readonly slow: number;
  /** Orders that were there when the tracing ended: how many, and how long the oldest of them had been there. */
  readonly stillInRing: { readonly count: number; readonly oldestUs: number };
  readonly stillInHand: { readonly count: number; readonly oldestUs: number };
  /** How often each outcome was seen, by name. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Records that left a queue without being consumed, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** Records that found no room. */
  readonly rejected: number;
  readonly qdiscs: ReadonlyArray<{
    readonly name: string;
    readonly interface: number;
    readonly packets: number;
  }>;
  /** Packets that the kernel dropped while they were in a qdisc. */
  readonly packetsLost: number;
  /** Lines about slow orders that did not reach the tracer. */
  readonly lost: number;
  readonly notes: readonly string[];
}

/** One thread, by /proc. */
export interface ThreadRow {
  readonly tid: number;
  readonly name: string;
  /** How long it ran, and how long it was runnable without a processor: exact. */
  readonly runMs: number;
  readonly runQueueMs: number;
  /** How often it got a processor. */
  readonly turns: number;
  /** The most that it was told to have waited between two samples: no single wait was longer. */
  readonly longestMs: number;
  readonly majorFaults: number;
}

export interface ProcReport {
  readonly mode: 'proc';
  readonly pid: number;
  readonly seconds: number;
  readonly threads: readonly ThreadRow[];
  /** The share of the time in which a task of the machine waited; absent: the kernel does not tell. */
  readonly pressure: { readonly cpu?: number; readonly io?: number };
  /** TCP segments that were sent again, and connections that a full accept queue refused, in its network namespace. */
  readonly retransmits?: number;
  readonly listenOverflows?: number;
  readonly notes: readonly string[];
}

/** Returns the whole time of an order that was seen. */
export function totalUs({ ring, inHand, answerUs }: Order): number {
  // The answer goes out while the order waits: it is no part of the sum unless it is the longer one.
  return Math.max((ring?.us ?? 0) + (inHand?.us ?? 0), answerUs ?? 0);
}
