/** Memory while messages are sent to a stalled consumer. */

import { inChildProcess } from '../../harness/threads/in-child-process.js';
import { queues, unbounded } from '../queues/index.js';

const ATTEMPTS = 1_000_000;
const growth = 'stalled/growth';
const taken = 'stalled/taken';
const all = [
  ...queues.filter(({ producersMax, gathers }) => producersMax > 0 && gathers !== true),
  unbounded,
];

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'stalled',
  title: 'A stalled consumer',
  about:
    "A million messages of 64 bytes are offered, each once, while the consumer's loop is blocked. Growth is " +
    "that of the process's resident memory from then on: a ring's own memory was in use before. A bounded queue " +
    'takes as many as it holds and refuses the rest; an unbounded one takes them all, and memory for each. The ' +
    'memory that V8 takes meanwhile to compile and collect, some hundred kilobytes, is part of the growth, so ' +
    'a bar of 0 is met only by luck.',
  comparisons: [
    {
      title: 'a million messages offered',
      figures: [
        { id: growth, title: 'Growth of resident memory', unit: 'bytes' },
        { id: taken, title: 'Messages taken', unit: 'count' },
      ],
      cases: all.map(({ title: subject, file: rival }) => ({
        subject,
        run: async ({ quick }, plot) => {
          const program = new URL('./program.js', import.meta.url);
          const attempts = quick ? ATTEMPTS / 5 : ATTEMPTS;
          const measured = await inChildProcess(program, { rival, attempts });
          plot('Resident memory while the consumer is stalled', 'bytes', measured.points);
          return {
            [growth]: measured.growth,
            [taken]: measured.taken,
          };
        },
      })),
    },
  ],
  bars: [
    {
      claim: 'growth beyond the ring while 1 M messages meet a stalled consumer',
      of: { figure: growth, subject: 'sluice' },
      atMost: 0,
    },
    {
      claim:
        'growth while 1 M messages meet a stalled consumer, as a share of that of an unbounded MessagePort',
      of: { figure: growth, subject: 'sluice' },
      to: { figure: growth, subject: unbounded.title },
    },
  ],
};
