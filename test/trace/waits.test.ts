import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Kind } from '../../lib/trace/program.js';
import { type BpfReport, type Order, totalUs } from '../../lib/trace/report.js';
import { attempt, busy, command, pin, type Shop, shop, traced, tracer } from './traced.js';

/** Why BPF cannot be attached here; undefined if it can. */
function whyNoBpf(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs Linux and root';
  if (cpus().length < 2) return 'the provoked delays need two processors';
  if (!existsSync('/sys/kernel/tracing/events/sched')) attempt('mount -t tracefs nodev /sys/kernel/tracing');
  try {
    const attach = 'tracepoint:sched:sched_switch { exit(); }';
    execFileSync('bpftrace', ['-e', attach], { timeout: 30_000, stdio: 'pipe' });
  } catch (error) {
    return `bpftrace cannot attach: ${(error as Error).message.split('\n')[0]}`;
  }
  return undefined;
}
const missing = whyNoBpf();
if (missing !== undefined) console.warn(`Tests of \`sluice trace\` with BPF are left out: ${missing}`);

/** Where the system limits the requests of some processes to a device. */
const throttle = '/sys/fs/cgroup/blkio';
const canThrottle = existsSync(`${throttle}/blkio.throttle.write_iops_device`);
if (missing === undefined && !canThrottle)
  console.warn(
    `Tests of block queues with \`sluice trace\` are left out: no ${throttle}, or no limits in it`,
  );

/** In place of a test that this machine cannot run, as the lines above say. */
function leftOut(..._: readonly unknown[]): void {}

const COUNT = 200;
const EVERY_MS = 10;

describe.runIf(process.platform === 'linux' && cpus().length > 1)('/proc', () => {
  it('tells that a thread waits for its processor, and for how long', async () => {
    const selling = await shop({ busyMs: 2 });
    const others: Array<ReturnType<typeof busy>> = [];
    try {
      pin(selling.consumer, 1);
      for (let i = 0; i < 4; i++) others.push(busy(1));
      const report = await traced(selling, 'proc', 5, () => selling.orders(2 * COUNT, 5, '/'));
      const {
        runMs = 0,
        runQueueMs = 0,
        turns,
        longestMs,
      } = report.threads.find(({ tid }) => tid === selling.consumer) ?? {};
      expect(turns).toBeGreaterThan(10);
      expect(runMs).toBeGreaterThan(0);
      expect(runQueueMs).toBeGreaterThan(100);
      // With four other threads it waits for four turns of theirs for each of its own.
      expect(runQueueMs).toBeGreaterThan(runMs);
      expect(longestMs).toBeLessThanOrEqual(runQueueMs);
      // All that it waited since its start is in schedstat, too.
      const [, all] = command(`cat /proc/${selling.pid}/task/${selling.consumer}/schedstat`)
        .split(' ')
        .map(Number);
      expect(runQueueMs * 1e6).toBeLessThanOrEqual(all ?? 0);
    } finally {
      for (const other of others) await other.stop();
      await selling.stop();
    }
  });
});

(missing === undefined ? describe : leftOut)('sluice trace', { timeout: 300_000 }, () => {
  const netns = `sluice-trace-${process.pid}`;
  let folder = '';
  let device = '';
  const group = `${throttle}/${netns}`;
  let selling: Shop;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-trace-test-'));
    const image = join(folder, 'disk');
    writeFileSync(image, '');
    truncateSync(image, 64 * 2 ** 20);
    command(`fallocate -l 64M ${image}`);
    device = command(`losetup --find --show --direct-io=on ${image}`).trim();
    const queue = `/sys/block/${device.split('/').at(-1)}/queue`;
    writeFileSync(`${queue}/scheduler`, 'mq-deadline');
    // So that the storm is many small requests, more than the driver takes at a time.
    writeFileSync(`${queue}/max_sectors_kb`, '4');
    writeFileSync(`${queue}/nr_requests`, '2048');
    if (canThrottle) {
      mkdirSync(group);
      const { dev } = statSync(image);
      writeFileSync(`${group}/blkio.throttle.write_iops_device`, `${dev >> 8}:${dev & 0xff} 4000`);
    }
    command(`ip netns add ${netns}`);
    command(`ip -n ${netns} link set lo mtu 1500 up`);
    selling = await shop({ journal: device, answerBytes: 2_000 }, ['ip', 'netns', 'exec', netns]);
    for (const tid of readdirSync(`/proc/${selling.pid}/task`).map(Number))
      pin(tid, tid === selling.consumer ? 1 : 0);
    await selling.orders(COUNT, 2, '/durable'); // so that it has compiled its code
  }, 120_000);
  afterAll(async () => {
    await selling?.stop();
    attempt(`ip netns del ${netns}`, `losetup -d ${device}`, `rmdir ${group}`);
    rmSync(folder, { recursive: true, force: true });
  });

  /** The figures of a thread (undefined: of all) and a kind of wait; zeros if there was none. */
  function wait(
    { waits }: BpfReport,
    tid: number | undefined,
    kind: Kind,
  ): { count: number; meanUs: number; maxUs: number } {
    const rows = waits.filter((row) => row.kind === kind && (tid === undefined || row.tid === tid));
    const count = rows.reduce((sum, row) => sum + row.count, 0);
    const totalMs = rows.reduce((sum, row) => sum + row.totalMs, 0);
    return {
      count,
      meanUs: (1e3 * totalMs) / Math.max(1, count),
      maxUs: Math.max(0, ...rows.map(({ maxUs }) => maxUs)),
    };
  }

  /** Traces the shop while it gets orders, and checks that all of them were seen on their whole way. */
  async function under(
    provoke: () => Promise<unknown>,
    { path = '/durable', count = COUNT } = {},
  ): Promise<BpfReport> {
    const report = await traced(selling, 'bpf', 20, async () => {
      // The tracer knows the consumer once it has taken an order.
      expect(await selling.orders(1, 0, path)).toBe(1);
      let begin: (() => void) | undefined;
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      const sent = selling.orders(count - 1, EVERY_MS, path, begin);
      const [admitted] = await Promise.all([sent, begun.then(provoke)]);
      expect(admitted).toBe(count - 1);
    });
    expect(report).toMatchObject({
      outcomes: { admitted: count },
      stillInRing: { count: 0 },
      stillInHand: { count: 0 },
    });
    expect(wait(report, selling.consumer, 'ring').count).toBe(count);
    expect(wait(report, selling.consumer, 'in hand').count).toBe(count);
    expect(report).toMatchObject({ orders: { length: count }, lost: 0, rejected: 0, dropped: {} });
    return report;
  }
  const reports: Record<string, BpfReport> = {};
  const figures = (name: string): Record<'runQueue' | 'qdisc' | 'block', number> => {
    const report = reports[name] as BpfReport;
    return {
      runQueue: wait(report, selling.consumer, 'run queue').maxUs,
      qdisc: wait(report, selling.main, 'qdisc').meanUs,
      block: wait(report, undefined, 'block queue').meanUs,
    };
  };

  it('sees each order of a shop that nothing delays', async () => {
    reports['nothing'] = await under(() => Promise.resolve());
    expect(wait(reports['nothing'], selling.main, 'qdisc').count).toBeGreaterThanOrEqual(COUNT);
    expect(wait(reports['nothing'], undefined, 'block queue').count).toBeGreaterThanOrEqual(COUNT);
    expect(reports['nothing'].qdiscs).toEqual([]);
  });

  // Programs beside this one may delay orders more than the busy thread does. Then the test is tried again.
  it('sees a consumer whose processor another thread has, and how that delayed each order', {
    retry: 2,
  }, async () => {
    const from = (await selling.book()).length;
    const lose = async (): Promise<void> => {
      const other = busy(1, ['chrt', '-f', '1']);
      await sleep(800);
      await other.stop();
    };
    // Durable orders would wait for other threads, too, which may be on that processor.
    const report = await under(lose, { path: '/' });
    reports['busy'] = report;
    const { ring, inHand, reservation } = report.orders[0] as Order;
    const slowest = totalUs(report.orders[0] as Order);
    expect(slowest).toBeGreaterThan(300_000);
    expect((ring?.runQueueUs ?? 0) + (inHand?.runQueueUs ?? 0)).toBeGreaterThan(0.8 * slowest);
    expect(ring).toMatchObject({ split: true });
    // The application's own book of the same order.
    const own =
      (await selling.book()).slice(from).find((entry) => entry.reservation === reservation)?.us ?? 0;
    expect(Math.abs(own - slowest)).toBeLessThan(0.05 * own);
  });

  it('sees packets that wait in a qdisc, and its name', async () => {
    command(`tc -n ${netns} qdisc add dev lo root tbf rate 1mbit burst 8kb latency 2s`);
    try {
      reports['tbf'] = await under(() => Promise.resolve(), { count: COUNT / 2 });
    } finally {
      command(`tc -n ${netns} qdisc del dev lo root`);
    }
    expect(reports['tbf'].qdiscs).toEqual([expect.objectContaining({ name: 'tbf' })]);
    expect(figures('tbf').qdisc).toBeGreaterThan(10 * figures('nothing').qdisc);
    expect(reports['tbf'].orders.some(({ answerUs = 0 }) => answerUs > 1_000)).toBe(true);
  });

  (canThrottle ? it : leftOut)('sees requests that wait in a block queue', async () => {
    // The storm's requests take long at the device under the loop device, so they fill the loop device's driver.
    const write = `dd if=/dev/zero of=${device} bs=1M count=32 seek=16 oflag=direct conv=notrunc status=none`;
    const throttled = `echo $$ > ${group}/cgroup.procs; while :; do ${write} & ${write}; wait; done`;
    const storm = spawn('sh', ['-c', throttled], {
      stdio: 'ignore',
      detached: true, // a process group of its own, so that dd ends with its shell
    });
    try {
      reports['storm'] = await under(() => Promise.resolve(), { count: COUNT / 10 });
    } finally {
      process.kill(-(storm.pid as number), 'SIGKILL');
    }
    expect(figures('storm').block).toBeGreaterThan(10 * figures('nothing').block);
  });

  (canThrottle ? it : leftOut)('told each delay by its own kind, and by no other', () => {
    const [busyOne, tbf, storm] = ['busy', 'tbf', 'storm'].map(figures) as [
      ReturnType<typeof figures>,
      ReturnType<typeof figures>,
      ReturnType<typeof figures>,
    ];
    expect(busyOne.runQueue).toBeGreaterThan(2 * Math.max(tbf.runQueue, storm.runQueue));
    expect(tbf.qdisc).toBeGreaterThan(4 * Math.max(busyOne.qdisc, storm.qdisc));
    expect(storm.block).toBeGreaterThan(4 * Math.max(busyOne.block, tbf.block));
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('leaves nothing attached when it gets %s', async (signal) => {
    const running = tracer(['--pid', `${selling.pid}`, '--seconds', '600']);
    await running.begun;
    expect(attached()).toBeGreaterThan(0);
    running.child.kill(signal);
    const { code, stdout, stderr } = await running.ended;
    expect(code, stderr).toBe(signal === 'SIGTERM' ? 143 : 130);
    expect(stdout).toContain('interrupted');
    expect(attached()).toBe(0);
    expect(existsSync(`/proc/${selling.pid}`)).toBe(true);
  });

  it('says that the process ended before the time was over, and when', async () => {
    const short = await shop({});
    const running = tracer(['--pid', `${short.pid}`, '--seconds', '600', '--json']);
    await running.begun;
    await short.orders(5, 0, '/');
    await short.stop();
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      mode: 'bpf',
      outcomes: { admitted: 5 },
      notes: ['the process ended before the time was over'],
    });
    expect(report.seconds).toBeGreaterThan(0);
    expect(report.seconds).toBeLessThan(600);
  });

  /** How many bpftrace processes trace the shop. Their probes end with them: they belong to file descriptors. */
  function attached(): number {
    const listed = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n');
    return listed.filter((line) => line.includes('bpftrace') && line.includes(`-p ${selling.pid} `)).length;
  }
});
