/** The memory that each record leaves for the garbage collector. */
import { existsSync } from 'node:fs';
import { asQueue, queues } from '../queues/index.js';
import { measureAllocation } from './measure.js';

const ids = { push: 'allocation/push', drain: 'allocation/drain', collections: 'allocation/collections' };
const all = [...queues];
// The published package does not contain the rival fastq.
if (existsSync(new URL('../../rivals/queues/fastq.js', import.meta.url))) {
  all.push(asQueue(await import('../../rivals/queues/fastq.js')));
}

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'allocation',
  title: 'Allocation',
  about:
    "Bytes on V8's heap for each record pushed and for each record drained, in one thread, in the steady state, " +
    'to a hundredth of a byte; and garbage collections for a million records pushed and drained. Memory of ' +
    "native code, such as that of a MessagePort's messages, is not counted.",
  roundsMax: 1,
  comparisons: [
    {
      title: 'one at a time',
      figures: [
        { id: ids.push, title: 'For each push', unit: 'bytes' },
        { id: ids.drain, title: 'For each drained', unit: 'bytes' },
        { id: ids.collections, title: 'Collections for a million', unit: 'count' },
      ],
      cases: all.map(({ title: subject, file }) => ({
        subject,
        run: async ({ quick }) => {
          const extent = quick ? { runs: 2, warmUpRuns: 6 } : { runs: 16, warmUpRuns: 32 };
          const { push, drain, perMillion } = await measureAllocation(file, extent);
          return { [ids.push]: push, [ids.drain]: drain, [ids.collections]: perMillion };
        },
      })),
    },
  ],
  bars: [
    bar('bytes allocated for each tryPush', ids.push),
    bar('bytes allocated for each drained view', ids.drain),
  ],
};

/** @param {string} claim @param {string} figure */
function bar(claim, figure) {
  return { claim, of: { figure, subject: 'sluice' }, atMost: 0 };
}
