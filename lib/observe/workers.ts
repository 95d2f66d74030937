/** Who works for a sale: this process, its threads, other processes, the workers of a crew. */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';
import type { Crew } from '../dispatch/index.js';
import { cut } from './figures.js';

/** A worker, as the page shows it. A figure that the system does not tell is absent. */
export interface WorkerRow {
  readonly name: string;
  readonly state: string;
  /** How many processors it used: 0.5 is half of one. */
  readonly processors?: number;
  readonly rssBytes?: number;
  /** The share of the time in which its event loop was busy: 0 to 1. */
  readonly busy?: number;
  readonly inHand?: number;
  readonly handled?: number;
}

/** Threads, and the numbers of processes, by the names under which the page shows them. */
export type NamedWorkers = Readonly<Record<string, Pick<Worker, 'threadId' | 'performance'> | number>>;

export const rowsMax = 100;
/** Linux counts processor time in hundredths of a second, and memory in kibibytes. */
const ticksPerSecond = 100;
const kibibyte = 1_024;

/** Makes the rows of workers: each is about the time since it was last made. */
export class WorkerRows {
  readonly #crew: Pick<Crew<unknown>, 'stats'> | undefined;
  readonly #named: (() => NamedWorkers) | undefined;
  /** Counters at the last time, by the name of the worker and the figure. */
  #before = new Map<string, number>();
  #now = new Map<string, number>();
  #at = performance.now();

  constructor(crew: Pick<Crew<unknown>, 'stats'> | undefined, named: (() => NamedWorkers) | undefined) {
    this.#crew = crew;
    this.#named = named;
  }

  /** Returns the rows. @throws what the functions of the program throw. */
  rows(): WorkerRow[] {
    const at = performance.now();
    const seconds = Math.max(0.001, (at - this.#at) / 1_000);
    this.#before = this.#now;
    this.#now = new Map();
    this.#at = at;
    const rows = [this.#own(seconds)];
    for (const [given, worker] of Object.entries(this.#named?.() ?? {}).slice(0, rowsMax)) {
      const name = cut(given);
      rows.push(
        typeof worker === 'number'
          ? this.#process(name, worker, seconds)
          : this.#thread(name, worker, seconds),
      );
    }
    for (const [i, { state, inHand, handled, busyMs }] of (this.#crew?.stats().workers ?? [])
      .slice(0, rowsMax)
      .entries()) {
      const name = `Crew: worker ${i}`;
      rows.push({ name, state, busy: this.#busy(name, busyMs, seconds), inHand, handled });
    }
    return rows;
  }

  #own(seconds: number): WorkerRow {
    const { user, system } = process.cpuUsage();
    const processors = this.#rate('', (user + system) / 1e6, seconds);
    return {
      name: `this process: ${process.pid}`,
      state: 'up',
      processors,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  #thread(
    name: string,
    { threadId, performance: of }: Pick<Worker, 'threadId' | 'performance'>,
    seconds: number,
  ): WorkerRow {
    if (threadId < 0) return { name, state: 'ended' };
    return { name, state: 'up', busy: this.#busy(name, of.eventLoopUtilization().active, seconds) };
  }

  /** A process that is not of this program's making may be anything by now; its number is shown, too. */
  #process(of: string, pid: number, seconds: number): WorkerRow {
    const name = `${of}: ${pid}`;
    const stat = read(`/proc/${pid}/stat`);
    // After the name, which is in parentheses and may contain anything: the state, and from there on numbers.
    const [state, ...numbers] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(numbers[10]) + Number(numbers[11]);
    const rss = Number(/^VmRSS:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
    if (process.platform !== 'linux') return { name, state: 'unknown' };
    if (stat === '' || state === 'Z') return { name, state: 'ended' };
    const processors = this.#rate(name, ticks / ticksPerSecond, seconds);
    return { name, state: 'up', processors, ...(Number.isNaN(rss) ? {} : { rssBytes: rss * kibibyte }) };
  }

  #busy(name: string, ms: number, seconds: number): number {
    return Math.min(1, this.#rate(`${name} loop`, ms / 1_000, seconds)); // the two clocks differ a little
  }

  /** Returns how fast a counter has grown; 0 the first time, and if it has begun anew. */
  #rate(name: string, value: number, seconds: number): number {
    this.#now.set(name, value);
    return Math.max(0, value - (this.#before.get(name) ?? value)) / seconds;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
