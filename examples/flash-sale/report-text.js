// @ts-check

/**
 * @typedef {import('./report.js').Report} Report
 */

/** @type {readonly (readonly [keyof Report['verdicts'], string])[]} */
const VERDICTS = [
  ['nothingOversold', 'nothing oversold'],
  ['resolvedExactlyOnce', 'every admitted order resolved exactly once'],
  ['processedInOrder', 'order of processing = order of admission'],
  ['noneLostWithWorkers', 'none lost with a worker'],
  ['noneLostInStream', 'no order that went to the stream was lost'],
  ['auditPassed', 'stock.audit() passed'],
];

/** @type {Record<string, string>} */
const STATUS_NAMES = {
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/**
 * @param {Report} report
 * @returns {string} for people
 */
export function render(report) {
  const { requests, load, items, queue } = report;
  return [
    heading(report),
    '',
    ...columns(
      Object.entries(requests.byStatus).map(([status, count]) => [
        `${status} ${STATUS_NAMES[status] ?? ''}`,
        whole(count),
      ]),
      Object.entries(requests.byOutcome).map(([outcome, count]) => [outcome, whole(count)]),
    ),
    '',
    ...table(
      ['milliseconds', 'p50', 'p99', 'p99.9', 'max', 'count'],
      [
        latency('response', report.responseMs),
        latency('admission to cashier', report.admissionToCashierMs),
        latency('admission to handled', report.admissionToHandledMs),
      ],
    ),
    ...explanation(report),
    '',
    ...table(
      ['units', 'offered', 'sold', 'returned', 'left'],
      items.map(({ sku, name, offered, sold, returned, left }) => [
        `${sku} ${name}`,
        ...[offered, sold, returned, left].map(whole),
      ]),
    ),
    '',
    `  queue   ${depth(queue)}${stored(queue.stored)}`,
    `  memory  at most ${mebibytes(report.rssPeakBytes)} MiB RSS`,
    ...(load ? [`  load    ${whole(load.connections)} connections from ${whole(load.threads)} threads`] : []),
    '',
    ...VERDICTS.map(([name, text]) => verdict(text, report.verdicts[name])),
    ...report.problems.map((problem) => `  FAIL  ${problem}`),
    '',
  ].join('\n');
}

/** @param {Report} report */
function heading({ requests, requestsPerSecond, elapsedMs }) {
  const of = requests.planned === null ? '' : ` of ${whole(requests.planned)}`;
  const seconds = (elapsedMs / 1_000).toFixed(1);
  return `${whole(requests.answered)}${of} requests answered in ${seconds} s (${whole(Math.round(requestsPerSecond))}/s)`;
}

/**
 * @param {string} text
 * @param {import('./verdicts.js').Verdict} verdict
 */
function verdict(text, { holds, isChecked, detail }) {
  const mark = isChecked ? (holds ? 'ok  ' : 'FAIL') : '-   ';
  return `  ${mark}  ${text}: ${detail}`;
}

/**
 * @param {string} name
 * @param {import('./percentiles.js').Percentiles | null} figures
 */
function latency(name, figures) {
  if (figures === null) return [name, '-', '-', '-', '-', '0'];
  const { p50, p99, p999, max, count } = figures;
  return [name, ...[p50, p99, p999, max].map((figure) => figure.toFixed(2)), whole(count)];
}

/**
 * Says where the time of the slow ones went.
 * @param {Report} report
 */
function explanation({ slowest, loop, elapsedMs }) {
  const ms = (/** @type {number} */ figure) => figure.toFixed(2);
  const share = (/** @type {number} */ waited) => ((100 * waited) / elapsedMs).toFixed(1);
  const lines = [];
  if (slowest !== null) {
    const { waitMs, behindMs, processorMs, otherMs } = slowest;
    const waited = processorMs === null ? '' : `, ${ms(processorMs)} for a processor`;
    lines.push(
      `  p99.9 of admission to cashier: ${ms(waitMs)} ms = ${ms(behindMs)} behind earlier orders${waited}, ${ms(otherMs)} other`,
    );
  }
  const { delayMs, processorWaitMs: waited } = loop;
  const processor = waited === null ? '' : `; it waited for a processor ${share(waited)} % of the time`;
  lines.push(`  event loop of the server: ${ms(delayMs)} ms late at p99.9${processor}`);
  return ['', ...lines];
}

/**
 * Returns rows of text, with the first column aligned to the left and the others to the right.
 * @param {string[]} head
 * @param {string[][]} rows
 */
function table(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all.map(
    (row) => `  ${row.map((cell, column) => pad(cell, widths[column] ?? 0, column > 0)).join('  ')}`,
  );
}

/**
 * Returns the rows of two lists side by side.
 * @param {string[][]} left
 * @param {string[][]} right
 */
function columns(left, right) {
  const lefts = table(['by status', ''], left);
  const rights = table(['by outcome', ''], right);
  const width = Math.max(...lefts.map((line) => line.length));
  return Array.from({ length: Math.max(lefts.length, rights.length) }, (_, row) =>
    `${(lefts[row] ?? '').padEnd(width)}    ${rights[row] ?? ''}`.trimEnd(),
  );
}

/**
 * @param {string} text
 * @param {number} width
 * @param {boolean} right
 */
function pad(text, width, right) {
  return right ? text.padStart(width) : text.padEnd(width);
}

/** @param {number} figure */
function whole(figure) {
  return figure.toLocaleString('en-US');
}

/** @param {number} bytes */
function mebibytes(bytes) {
  return Math.round(bytes / 1_048_576);
}

/** @param {Report['queue']} queue */
function depth({ peakDepth, capacity }) {
  if (peakDepth === null) return `a stream of at most ${whole(capacity)} orders`;
  return `at most ${whole(peakDepth)} of ${whole(capacity)} orders`;
}

/** @param {number | null} orders */
function stored(orders) {
  return orders === null ? '' : `, and ${whole(orders)} through the store`;
}
