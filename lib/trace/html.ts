/** The report of `sluice trace` as one page that needs nothing else. */
import { type BpfReport, type Order, type ProcReport, type Split, totalUs } from './report.js';
import { bpfText, duration, procText, queueNames } from './text.js';

const style = `:root { color-scheme: light dark }
body { font: 15px system-ui, sans-serif; margin: 1.5rem; max-width: 75rem }
table { border-collapse: collapse; width: 100% }
th, td { padding: 0.2rem 0.6rem; text-align: left; white-space: nowrap }
td.bar { width: 70% }
.bar div { display: flex; height: 1.1rem; background: #8882 }
i { display: block; height: 1.1rem; min-width: 1px }
ul { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; list-style: none; padding: 0 }
li i { display: inline-block; width: 1.1rem; margin-right: 0.3rem; vertical-align: text-bottom }
pre { overflow-x: auto; font-size: 13px }
.ring0 { background: #d55e00 } .ring1 { background: #0072b2 } .ring2 { background: #666 } .ring3 { background: #999 }
.hand0 { background: repeating-linear-gradient(45deg, #d55e00 0 4px, #fff 4px 6px) }
.hand1 { background: repeating-linear-gradient(45deg, #0072b2 0 4px, #fff 4px 6px) }
.hand2 { background: #009e73 }`;

/** The parts of a bar, in the order of time as far as it is known. */
const bars: ReadonlyArray<{ name: string; title: string; of: (order: Order) => number }> = [
  {
    name: 'ring0',
    title: 'in the ring, its consumer on the run queue',
    of: ({ ring }) => part(ring, 'runQueueUs'),
  },
  { name: 'ring1', title: 'in the ring, its consumer asleep', of: ({ ring }) => part(ring, 'asleepUs') },
  { name: 'ring2', title: 'in the ring, its consumer busy', of: ({ ring }) => part(ring, 'busyUs') },
  { name: 'ring3', title: 'in the ring, not split', of: ({ ring }) => (ring?.split === false ? ring.us : 0) },
  { name: 'hand0', title: 'in hand, on the run queue', of: ({ inHand }) => part(inHand, 'runQueueUs') },
  { name: 'hand1', title: 'in hand, asleep', of: ({ inHand }) => part(inHand, 'asleepUs') },
  { name: 'hand2', title: 'in hand, busy', of: ({ inHand }) => part(inHand, 'busyUs') },
];

function part(split: Split | undefined, name: 'runQueueUs' | 'asleepUs' | 'busyUs'): number {
  return split?.[name] ?? 0;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Returns the page. */
export function page(report: BpfReport | ProcReport, top: number): string {
  const text = report.mode === 'bpf' ? bpfText(report, top) : procText(report, top);
  const waterfall =
    report.mode === 'bpf' && report.orders.length > 0 ? drawn(report.orders.slice(0, top)) : '';
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>sluice trace of process ${report.pid}</title>
<style>
${style}
</style>
<h1>Where the orders of process ${report.pid} waited</h1>
${waterfall}<h2>All figures</h2>
<pre>${escaped(text)}</pre>
</html>
`;
}

function drawn(orders: readonly Order[]): string {
  const longest = Math.max(...orders.map(totalUs), 1);
  const names = queueNames(orders);
  const rows = orders.map((order) => {
    const shown = bars.map((bar) => ({ ...bar, us: bar.of(order) })).filter(({ us }) => us > 0);
    const told = shown.map(({ title, us }) => `${title}: ${duration(us)}`).join('; ');
    const drawing = shown.map(
      ({ name, us }) => `<i class="${name}" style="width:${((100 * us) / longest).toFixed(2)}%"></i>`,
    );
    const answer = order.answerUs === undefined ? '' : `; answer in a qdisc: ${duration(order.answerUs)}`;
    const title = escaped(`${told}${answer}`);
    return `<tr><th scope="row">${escaped(names.get(order.queue) ?? '')}position ${order.position}</th><td class="bar"><div role="img" aria-label="${title}" title="${title}">${drawing.join('')}</div></td><td>${duration(totalUs(order))}</td></tr>`;
  });
  const legend = bars.map(({ name, title }) => `<li><i class="${name}"></i>${title}</li>`);
  return `<ul>${legend.join('')}</ul>
<table>
${rows.join('\n')}
</table>
`;
}
