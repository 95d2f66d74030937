import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Collected } from '../../lib/trace/collected.js';
import { page } from '../../lib/trace/html.js';
import type { BpfReport, ProcReport } from '../../lib/trace/report.js';
import { bpfText, duration, procText } from '../../lib/trace/text.js';

/** What bpftrace wrote about a shop whose consumer lost its processor for 500 ms. */
const recorded = readFileSync(new URL('recorded/busy.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n');

function reportOf(lines: readonly string[]): BpfReport {
  const collected = new Collected();
  for (const line of lines) collected.take(line);
  return collected.report({ pid: 40, slowMs: 5, notes: ['a note'], nameOf: (tid) => `thread ${tid}` });
}
function printed(...lines: readonly string[]): string[] {
  return lines.map((data) => JSON.stringify({ type: 'printf', data: `${data}\n` }));
}
function map(name: string, data: Record<string, number>): string {
  return JSON.stringify({ type: 'map', data: { [`@${name}`]: data } });
}

describe('the report of a recorded run', () => {
  const report = reportOf(recorded);

  it('has the counts of the run', () => {
    expect(report.outcomes).toEqual({ admitted: 200 });
    for (const kind of ['ring', 'in hand']) {
      const rows = report.waits.filter((row) => row.kind === kind);
      expect(rows).toEqual([expect.objectContaining({ role: 'consumer', count: 200 })]);
    }
    expect(report.seconds).toBeCloseTo(9, 1);
  });

  it('has the slowest order first, and its time is the sum of its parts', () => {
    const [slowest] = report.orders;
    expect(slowest?.ring?.us).toBeGreaterThan(300_000);
    for (const { ring, inHand } of report.orders) {
      for (const split of [ring, inHand]) {
        if (split?.split) expect(split.runQueueUs + split.asleepUs + split.busyUs).toBe(split.us);
      }
    }
    const totals = report.orders.map(({ ring, inHand }) => (ring?.us ?? 0) + (inHand?.us ?? 0));
    expect(totals).toEqual(totals.toSorted((a, b) => b - a));
  });
});

describe('the report', () => {
  it('joins what was printed of one order, whatever comes first', () => {
    const lines = printed(
      'begin 1000000000',
      'answer 4096 7 40 900',
      'settle 4096 7 99 300 100 150 20 901 1',
      'ring 4096 7 41 700 1 500 100 30',
      'ring 8192 7 41 50 0 0 0 0',
      'end 3000000000',
    );
    expect(reportOf(lines).orders).toEqual([
      {
        queue: '0x1000',
        position: 7,
        consumer: 41,
        reservation: '99',
        confirmed: true,
        answerUs: 900,
        ring: { us: 700, split: true, runQueueUs: 500, asleepUs: 100, busyUs: 100, blockUs: 30 },
        inHand: { us: 300, split: true, runQueueUs: 100, asleepUs: 150, busyUs: 50, blockUs: 20 },
      },
      {
        queue: '0x2000',
        position: 7,
        consumer: 41,
        ring: { us: 50, split: false, runQueueUs: 0, asleepUs: 0, busyUs: 0, blockUs: 0 },
      },
    ]);
  });

  it('names outcomes, tiers and reasons', () => {
    const report = reportOf([
      map('outcome', { '0,0': 3, '32,1': 2, '2,0': 1, '33,0': 4, '36,0': 5 }),
      map('dropped', { '0': 1, '2': 6 }),
      map('full', { '4096': 2, '8192': 3 }),
      map('qdisc', { 'tbf,1': 9 }),
      map('net_dropped', { '40': 2 }),
    ]);
    expect(report).toMatchObject({
      outcomes: { admitted: 3, 'rate-limited: token-bucket': 2, 'sold-out': 1, 'queue-full': 4, requeued: 5 },
      dropped: { expired: 1, shed: 6 },
      rejected: 5,
      qdiscs: [{ name: 'tbf', interface: 1, packets: 9 }],
      packetsLost: 2,
    });
  });

  it('reads quantiles from the buckets, never above the maximum', () => {
    const [row] = reportOf([
      map('n', { '40,0,3': 98, '40,0,33': 1, '40,0,50': 1 }),
      map('max', { '40,0': 260 }),
      map('sum', { '40,0': 600 }),
    ]).waits;
    expect(row).toEqual({
      tid: 40,
      role: 'main',
      kind: 'run queue',
      count: 100,
      p50Us: 3,
      p99Us: 76,
      maxUs: 260,
      totalMs: 0.6,
    });
  });

  it('says what is still there at the end, and since when', () => {
    const lines = [...printed('begin 0', 'end 5000000'), map('o_at', { '1,2': 1_000_000, '1,3': 4_000_000 })];
    expect(reportOf(lines)).toMatchObject({
      stillInRing: { count: 2, oldestUs: 4_000 },
      stillInHand: { count: 0, oldestUs: 0 },
    });
  });

  it('counts what it lost, and ignores what it does not know', () => {
    const report = reportOf([
      '',
      'no JSON',
      '{"type":"attached_probes","data":{"probes":3}}',
      '{"type":"lost_events","data":{"events":4}}',
    ]);
    expect(report).toMatchObject({ lost: 4, orders: [], waits: [] });
  });

  it('keeps the slowest of very many orders', () => {
    const collected = new Collected();
    for (let i = 0; i < 45_000; i++)
      for (const line of printed(`ring 4096 ${i} 41 ${(i * 7_919) % 45_000} 1 0 0 0`)) collected.take(line);
    const { orders, slow } = collected.report({ pid: 40, slowMs: 0, notes: [], nameOf: () => '' });
    expect(slow).toBe(45_000);
    expect(orders.length).toBeLessThan(20_000);
    expect(orders.slice(0, 10_000).map(({ ring }) => ring?.us)).toEqual(
      Array.from({ length: 10_000 }, (_, i) => 44_999 - i),
    );
  });
});

describe('the text', () => {
  it('of a recorded run has a row for each thread and each slow order', () => {
    const text = bpfText(reportOf(recorded), 3);
    expect(text).toMatch(/consumer +run queue +\d+/);
    expect(text).toMatch(/the slowest of \d+ orders that took 5 ms or more:\norder +total +ring/);
    expect(text.match(/^position \d+/gm)).toHaveLength(3);
    expect(text).toContain('admissions: 200 admitted');
    expect(text).toContain('note: a note');
  });

  it('says that no order was slow, and tells queues apart', () => {
    expect(bpfText(reportOf([]), 8)).toContain('no order took 5 ms or more');
    const two = bpfText(reportOf(printed('ring 4096 7 41 9000 1 0 0 0', 'ring 8192 7 41 8000 0 0 0 0')), 8);
    expect(two).toMatch(/^queue 1, position 7 +9\.0 ms/m);
    expect(two).toMatch(/^queue 2, position 7 +8\.0 ms +8\.0 ms +- +- +-/m);
  });

  it('of /proc says what the kernel does not tell', () => {
    const report: ProcReport = {
      mode: 'proc',
      pid: 40,
      seconds: 2,
      threads: [
        { tid: 40, name: 'node', runMs: 500, runQueueMs: 1_000, turns: 100, longestMs: 30, majorFaults: 0 },
      ],
      pressure: { cpu: 0.5 },
      notes: [],
    };
    const text = procText(report, 8);
    expect(text).toMatch(/^40 +node +25\.0 % +50\.0 % +1\.00 s +100 +10\.0 ms +30\.0 ms$/m);
    expect(text).toContain('for a processor: 50 %; for a disk: unknown');
    expect(text).toContain('sent again: unknown');
  });

  it('does not let the name of a thread control the terminal, or the columns', () => {
    const name = '\u001b[2Ja\n\u009b\u202eb';
    const thread = { tid: 40, name, runMs: 0, runQueueMs: 0, turns: 0, longestMs: 0, majorFaults: 0 };
    const proc = procText(
      { mode: 'proc', pid: 40, seconds: 1, threads: [thread], pressure: {}, notes: [name] },
      8,
    );
    const collected = new Collected();
    collected.take(map('n', { '41,0,3': 1 }));
    const bpf = bpfText(collected.report({ pid: 40, slowMs: 5, notes: [name], nameOf: () => name }), 8);
    for (const text of [proc, bpf]) {
      expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
      expect(text).toMatch(/^4\d +\?\[2Ja\?\?\?b /m);
      expect(text).toMatch(/^note: \?\[2Ja\?\?\?b$/m);
    }
  });

  it('writes times in units that suit them', () => {
    expect([undefined, 0, 999, 1_000, 99_949, 203_070, 1_500_000].map(duration)).toEqual([
      '-',
      '0 us',
      '999 us',
      '1.0 ms',
      '99.9 ms',
      '203 ms',
      '1.50 s',
    ]);
  });
});

describe('the page', () => {
  it('has a bar for each order, whose parts add up to its share of the longest', () => {
    const html = page(reportOf(recorded), 5);
    const rows = [...html.matchAll(/<tr>.*<\/tr>/g)].map(([row]) => row);
    expect(rows).toHaveLength(5);
    const widths = [...(rows[0] ?? '').matchAll(/width:([\d.]+)%/g)].map(([, width]) => Number(width));
    expect(widths.reduce((sum, width) => sum + width, 0)).toBeCloseTo(100, 0);
    expect(rows[0]).toMatch(/aria-label="in the ring, its consumer on the run queue: \d+ ms;/);
  });

  it('needs nothing from elsewhere, and shows texts as texts', () => {
    const html = page({ ...reportOf([]), notes: ['<script>alert(1)</script>'] }, 5);
    expect(html).not.toMatch(/<script|src=|href=|url\(/);
    expect(html).toContain('&#60;script&#62;');
  });
});
