/** The report of `sluice trace` as text for a terminal. */
import { printable } from './machine.js';
import { type BpfReport, type Order, type ProcReport, totalUs } from './report.js';

/** Writes a time, with a unit that suits it. */
export function duration(us: number | undefined): string {
  if (us === undefined) return '-';
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 1e5) return `${(us / 1e3).toFixed(0)} ms`;
  return us >= 1e3 ? `${(us / 1e3).toFixed(1)} ms` : `${Math.round(us)} us`;
}

/** Lays out rows in columns. The columns whose titles begin with a space are aligned to the right. */
function table(titles: readonly string[], rows: ReadonlyArray<readonly string[]>): string[] {
  const widths = titles.map((title, i) =>
    Math.max(title.trim().length, ...rows.map((row) => (row[i] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) =>
        titles[i]?.startsWith(' ') ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(titles.map((title) => title.trim())), ...rows.map(line)];
}

/** The parts of an order's time, in the order in which they are shown. */
const parts: ReadonlyArray<{ title: string; of: (order: Order) => number | undefined }> = [
  { title: 'ring', of: ({ ring }) => ring?.us },
  { title: 'run queue', of: ({ ring }) => (ring?.split ? ring.runQueueUs : undefined) },
  { title: 'asleep', of: ({ ring }) => (ring?.split ? ring.asleepUs : undefined) },
  { title: 'busy', of: ({ ring }) => (ring?.split ? ring.busyUs : undefined) },
  { title: 'in hand', of: ({ inHand }) => inHand?.us },
  { title: 'run queue', of: ({ inHand }) => inHand?.runQueueUs },
  { title: 'asleep', of: ({ inHand }) => inHand?.asleepUs },
  { title: 'busy', of: ({ inHand }) => inHand?.busyUs },
  { title: 'block', of: ({ ring, inHand }) => (ring?.blockUs ?? 0) + (inHand?.blockUs ?? 0) },
  { title: 'answer', of: ({ answerUs }) => answerUs },
];

/** Returns the name of each queue: `queue 1`, ...; one queue needs no name. */
export function queueNames(orders: readonly Order[]): ReadonlyMap<string, string> {
  const queues = [...new Set(orders.map(({ queue }) => queue))].sort();
  return new Map(queues.map((queue, i) => [queue, queues.length === 1 ? '' : `queue ${i + 1}, `]));
}

export function bpfText(report: BpfReport, top: number): string {
  const { waits, orders, slow, slowMs, outcomes, dropped, qdiscs, stillInRing, stillInHand } = report;
  const lines = [
    ...table(
      ['thread', 'seen as', 'wait', ' count', ' p50', ' p99', ' max', ' total'],
      waits.map(({ tid, role, kind, count, p50Us, p99Us, maxUs, totalMs }) => [
        `${tid}`,
        role,
        kind,
        `${count}`,
        ...[p50Us, p99Us, maxUs, totalMs * 1e3].map(duration),
      ]),
    ),
    '',
    qdiscs.length === 0
      ? 'no packet met a qdisc (the loopback interface has none)'
      : `qdiscs: ${qdiscs.map((q) => `${q.name} on interface ${q.interface}, ${q.packets} packets`).join('; ')}`,
    ...(report.packetsLost > 0 ? [`packets dropped in them: ${report.packetsLost}`] : []),
    ...counted('admissions', outcomes),
    ...counted('dropped by a queue', dropped),
    ...(report.rejected > 0 ? [`rejected for want of room: ${report.rejected}`] : []),
    ...still('in a ring', stillInRing),
    ...still('in hand', stillInHand),
    '',
  ];
  if (slow === 0) {
    lines.push(`no order took ${slowMs} ms or more`);
  } else {
    const names = queueNames(orders);
    const shown = orders.slice(0, top);
    lines.push(`the slowest of ${slow} orders that took ${slowMs} ms or more:`);
    lines.push(
      ...table(
        ['order', ' total', ...parts.map(({ title }) => ` ${title}`)],
        shown.map((order) => [
          `${names.get(order.queue)}position ${order.position}`,
          duration(totalUs(order)),
          ...parts.map(({ of }) => duration(of(order))),
        ]),
      ),
      '',
      'ring = run queue + asleep + busy, of the consumer; in hand likewise. block: all block queues of the process',
      'meanwhile. answer: in a qdisc, while the order waits.',
    );
  }
  if (report.lost > 0)
    lines.push(`note: ${report.lost} lines about slow orders were lost; the histograms are complete`);
  return joined([...lines, ...notes(report.notes)]);
}

export function procText(report: ProcReport, top: number): string {
  const { threads, seconds, pressure, retransmits, listenOverflows } = report;
  const percent = (ms: number): string => `${(seconds === 0 ? 0 : ms / seconds / 10).toFixed(1)} %`;
  const lines = table(
    ['thread', 'name', ' ran', ' waited for a processor', ' in all', ' turns', ' each', ' longest, at most'],
    threads
      .slice(0, top)
      .map(({ tid, name, runMs, runQueueMs, turns, longestMs }) => [
        `${tid}`,
        name,
        percent(runMs),
        percent(runQueueMs),
        duration(runQueueMs * 1e3),
        `${turns}`,
        duration((runQueueMs * 1e3) / Math.max(1, turns)),
        duration(longestMs * 1e3),
      ]),
  );
  const share = (of: number | undefined): string =>
    of === undefined ? 'unknown' : `${(of * 100).toFixed(0)} %`;
  return joined([
    ...lines,
    '',
    `of the time, some task of the machine waited for a processor: ${share(pressure.cpu)}; for a disk: ${share(pressure.io)}`,
    `TCP segments sent again: ${retransmits ?? 'unknown'}; connections refused by a full accept queue: ${listenOverflows ?? 'unknown'}`,
    ...notes(report.notes),
  ]);
}

function joined(lines: readonly string[]): string {
  return lines.map(printable).join('\n');
}

function counted(what: string, counts: Readonly<Record<string, number>>): string[] {
  const list = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return list.length === 0 ? [] : [`${what}: ${list.map(([name, count]) => `${count} ${name}`).join(', ')}`];
}

function still(where: string, { count, oldestUs }: BpfReport['stillInRing']): string[] {
  return count === 0 ? [] : [`still ${where} at the end: ${count}, the oldest for ${duration(oldestUs)}`];
}

function notes(list: readonly string[]): string[] {
  return list.map((note) => `note: ${note}`);
}
