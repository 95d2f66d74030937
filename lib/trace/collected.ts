/** Gathers what the bpftrace program writes: see program.ts. */
import { dropReasons, outcomes, reserveResults, tiers } from '../binding/contract.js';
import { bucketMiddle, kinds } from './program.js';
import { type BpfReport, type Order, type Split, totalUs, type WaitRow } from './report.js';

type Maps = Readonly<Record<string, Readonly<Record<string, number>> | number>>;

/** The most orders that are kept. The slowest stay. */
const ordersMax = 10_000;

export class Collected {
  #attached = false;
  #beganAt = 0;
  #endedAt = 0;
  #lost = 0;
  #maps: Record<string, Readonly<Record<string, number>>> = {};
  #orders = new Map<string, Order>();
  #forgotten = 0;

  /** Whether bpftrace has attached all probes. */
  get attached(): boolean {
    return this.#attached;
  }

  /** Takes one line of bpftrace with `-f json`. Lines of another kind are ignored. */
  take(line: string): void {
    let message: { type?: string; data?: unknown };
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    const { type, data } = message;
    if (type === 'printf' && typeof data === 'string') this.#print(data.trim().split(' '));
    else if (type === 'lost_events') this.#lost += (data as { events: number }).events;
    else if (type === 'map' || type === 'hist' || type === 'stats') {
      for (const [name, map] of Object.entries(data as Maps)) {
        if (typeof map === 'object') this.#maps[name.slice(1)] = map;
      }
    }
  }

  #print([what = '', ...words]: string[]): void {
    const numbers = words.map(Number);
    const [queue = '', position = ''] = words;
    if (what === 'begin') {
      this.#attached = true;
      this.#beganAt = numbers[0] ?? 0;
    } else if (what === 'end') {
      this.#endedAt = numbers[0] ?? 0;
    } else if (what === 'ring') {
      const [, , consumer = 0, us = 0, split = 0, rq = 0, sl = 0, blk = 0] = numbers;
      this.#update(queue, position, { consumer, ring: splitOf(us, split === 1, rq, sl, blk) });
    } else if (what === 'settle') {
      const [, , reservation = '', ...rest] = words;
      const [us = 0, rq = 0, sl = 0, blk = 0, net = 0, confirmed = 0] = rest.map(Number);
      this.#update(queue, position, {
        ...(reservation === '0' ? {} : { reservation }),
        inHand: splitOf(us, true, rq, sl, blk),
        confirmed: confirmed === 1,
        ...(net === 0 ? {} : { answerUs: net - 1 }),
      });
    } else if (what === 'answer') {
      this.#update(queue, position, { answerUs: numbers[3] ?? 0 });
    }
  }

  #update(queue: string, position: string, seen: Partial<Order>): void {
    const key = `${queue} ${position}`;
    const known = this.#orders.get(key);
    const name = `0x${BigInt(queue).toString(16)}`;
    this.#orders.set(key, { ...(known ?? { queue: name, position: Number(position) }), ...seen });
    if (this.#orders.size < 2 * ordersMax) return;
    const slowest = [...this.#orders].sort(([, a], [, b]) => totalUs(b) - totalUs(a)).slice(0, ordersMax);
    this.#forgotten += this.#orders.size - slowest.length;
    this.#orders = new Map(slowest);
  }

  /** Returns the report. `nameOf`: the name of a thread. */
  report(of: {
    readonly pid: number;
    readonly slowMs: number;
    readonly notes: readonly string[];
    readonly nameOf: (tid: number) => string;
  }): BpfReport {
    const orders = [...this.#orders.values()].sort((a, b) => totalUs(b) - totalUs(a));
    return {
      mode: 'bpf',
      pid: of.pid,
      seconds: Math.max(0, this.#endedAt - this.#beganAt) / 1e9,
      slowMs: of.slowMs,
      waits: this.#waits(of.pid, of.nameOf),
      orders,
      slow: orders.length + this.#forgotten,
      stillInRing: this.#still('o_at'),
      stillInHand: this.#still('h_at'),
      outcomes: named(this.#map('outcome'), outcomeOf),
      dropped: named(this.#map('dropped'), (reason) => nameIn(dropReasons, Number(reason))),
      rejected: sumOf(this.#map('full')),
      qdiscs: Object.entries(this.#map('qdisc')).map(([key, packets]) => {
        const at = key.lastIndexOf(',');
        return { name: key.slice(0, at), interface: Number(key.slice(at + 1)), packets };
      }),
      packetsLost: sumOf(this.#map('net_dropped')),
      lost: this.#lost,
      notes: of.notes,
    };
  }

  #map(name: string): Readonly<Record<string, number>> {
    return this.#maps[name] ?? {};
  }

  /** The orders whose time of coming is still in the map. */
  #still(name: string): { count: number; oldestUs: number } {
    const times = Object.values(this.#map(name)).filter((at) => at > 0);
    const oldest = times.reduce((least, at) => Math.min(least, at), this.#endedAt);
    return { count: times.length, oldestUs: Math.round((this.#endedAt - oldest) / 1e3) };
  }

  #waits(pid: number, nameOf: (tid: number) => string): WaitRow[] {
    const buckets = new Map<string, Array<[number, number]>>();
    for (const [key, count] of Object.entries(this.#map('n'))) {
      const [tid, kind, bucket] = key.split(',');
      const list = buckets.get(`${tid},${kind}`) ?? [];
      list.push([Number(bucket), count]);
      buckets.set(`${tid},${kind}`, list);
    }
    const consumers = new Set(Object.values(this.#map('consumer')));
    const admit = new Set(Object.keys(this.#map('admits')).map(Number));
    const roleOf = (tid: number): string => {
      const seen = [
        ...(tid === pid ? ['main'] : []),
        ...(consumers.has(tid) ? ['consumer'] : []),
        ...(admit.has(tid) ? ['admits'] : []),
      ];
      return seen.length > 0 ? seen.join(', ') : nameOf(tid);
    };
    const rows = [...buckets].map(([key, list]) => {
      const [tid = 0, kind = 0] = key.split(',').map(Number);
      const max = this.#map('max')[key] ?? 0;
      list.sort(([a], [b]) => a - b);
      return {
        tid,
        role: roleOf(tid),
        kind: kinds[kind] ?? 'ring',
        count: list.reduce((sum, [, count]) => sum + count, 0),
        p50Us: quantile(list, 0.5, max),
        p99Us: quantile(list, 0.99, max),
        maxUs: max,
        totalMs: (this.#map('sum')[key] ?? 0) / 1e3,
      };
    });
    return rows.sort((a, b) => a.tid - b.tid || kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  }
}

function splitOf(us: number, split: boolean, rq: number, sl: number, blockUs: number): Split {
  // The parts are rounded down each, and the ends of the whole are not at the ends of its parts.
  const runQueueUs = Math.min(rq, us);
  const asleepUs = Math.min(sl, us - runQueueUs);
  return { us, split, runQueueUs, asleepUs, busyUs: split ? us - runQueueUs - asleepUs : 0, blockUs };
}

/** Returns the value below which a share of the counts lies. The buckets are sorted. */
function quantile(buckets: ReadonlyArray<readonly [number, number]>, share: number, max: number): number {
  const count = buckets.reduce((sum, [, n]) => sum + n, 0);
  let seen = 0;
  for (const [bucket, n] of buckets) {
    seen += n;
    if (seen > share * (count - 1)) return Math.min(bucketMiddle(bucket), max);
  }
  return max;
}

function nameIn(names: Readonly<Record<string, number>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? `${value}`;
}

/** The name of an outcome and, for a refusal of the limiter, its tier. */
function outcomeOf(key: string): string {
  const [outcome = 0, tier = 0] = key.split(',').map(Number);
  if (outcome === 0) return 'admitted';
  if (tier !== 0) return `rate-limited: ${nameIn(tiers, tier)}`;
  const known = nameIn(outcomes, outcome);
  return known === `${outcome}` ? nameIn(reserveResults, outcome) : known;
}

function named(
  counts: Readonly<Record<string, number>>,
  nameOf: (key: string) => string,
): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([key, count]) => [nameOf(key), count]));
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
