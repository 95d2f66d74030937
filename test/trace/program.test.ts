import { describe, expect, it } from 'vitest';
import { bucketMiddle, program, type Traced } from '../../lib/trace/program.js';

const traced: Traced = {
  pid: 40,
  tids: [40, 41],
  addon: '/srv/shop/sluice.node',
  probes: new Set(['push', 'pop', 'drop', 'full', 'park', 'wake', 'ring', 'admit', 'hand', 'settle']),
  slowUs: 5_000,
  seconds: 5,
  secondsMax: 155,
  btf: true,
  hasTracepoint: () => true,
};

describe('the program for bpftrace', () => {
  it('is as recorded', async () => {
    await expect(program(traced)).toMatchFileSnapshot('./recorded/program.bt');
  });

  it('asks only for the tracepoints that there are', () => {
    const text = program({ ...traced, hasTracepoint: (name) => name.startsWith('sched/') });
    expect(text).toContain('tracepoint:sched:sched_switch');
    expect(text).not.toMatch(/tracepoint:(?!sched)/);
  });

  it('counts packets for the thread that runs, if it cannot look into the structures of the kernel', () => {
    const text = program({ ...traced, btf: false });
    expect(text).toContain('net_dev_queue');
    expect(text).not.toContain('struct ');
  });

  it('has no probe of an addon that has none', () => {
    for (const less of [{ probes: new Set<string>() }, { addon: undefined }])
      expect(program({ ...traced, ...less })).not.toMatch(/usdt|@a_ring|@live/);
  });

  it('prints when the time was over also if it ends before', () => {
    expect(program(traced)).toMatch(/END \{\n {2}if \(@off\[0\] == 0 && @began != 0\) \{ printf\("end /);
  });

  it('keeps the rings of queues without a gate', () => {
    const text = program({ ...traced, probes: new Set(['push', 'pop']) });
    expect(text.match(/sluice:\w+/g)).toEqual(['sluice:push', 'sluice:pop']);
  });

  it('clears each map at its end that the report does not need', () => {
    const [body = '', end = ''] = program(traced).split('\nEND ');
    const maps = new Set([...body.matchAll(/@(\w+)/g)].map(([, name]) => name));
    const cleared = new Set([...end.matchAll(/clear\(@(\w+)\)/g)].map(([, name]) => name));
    const kept = [...maps].filter((name) => !cleared.has(name)).sort();
    expect(kept).toEqual([
      'admits',
      'consumer',
      'dropped',
      'full',
      'h_at',
      'max',
      'n',
      'net_dropped',
      'o_at',
      'outcome',
      'qdisc',
      'sum',
    ]);
  });
});

describe('a bucket', () => {
  /** As the program computes it. */
  function bucketOf(us: number): number {
    const e = us === 0 ? 0 : Math.floor(Math.log2(us));
    return e < 3 ? us : ((e - 2) << 3) + (Math.floor(us / 2 ** (e - 3)) & 7);
  }

  it('has a middle that is at most a sixteenth from each of its values', () => {
    for (let us = 0; us < 5e6; us = us < 2_000 ? us + 1 : Math.ceil(us * 1.01)) {
      expect(Math.abs(bucketMiddle(bucketOf(us)) - us)).toBeLessThanOrEqual(us / 16 + 0.5);
    }
  });
});
