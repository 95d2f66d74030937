/** What a flood does to the consumer's event loop and to memory. */

import { contenders } from '../contenders/contender.js';
import { about as unbounded } from '../contenders/message-port-unbounded.js';
import { inChildProcess } from '../threads/in-child-process.js';

const gap = 'flood/timer-gap';
const growth = 'flood/growth';
/** A flood lasts so many times as long as other groups measure. */
const LENGTH = 6;
const all = [
  ...(await contenders()).filter(({ producersMax }) => producersMax > 0),
  { ...unbounded, file: './message-port-unbounded.js' },
];

/** @type {import('../runner/group.js').Group} */
export const group = {
  name: 'flood',
  title: 'A flooded consumer',
  about:
    'One producer pushes one at a time as fast as it can, for six times as long as other groups measure (3 s), in a process of its own. A timer of 1 ms runs on the ' +
    "consumer's loop: the gap is the longest time between two ticks. Growth is of resident memory after a warm-up. " +
    '"MessagePort, unbounded" is a port as programs use it, without the bound that it is given here to keep up; its ' +
    'gap and its memory grow with the length of the flood.',
  comparisons: [
    {
      title: '1 producer, one at a time',
      figures: [
        { id: gap, title: 'Largest gap of a 1 ms timer', unit: 'ns' },
        { id: growth, title: 'Growth of resident memory', unit: 'bytes' },
      ],
      cases: all.map(({ title: subject, file: contender }) => ({
        subject,
        run: async ({ warmUpMs, measuredMs }, plot) => {
          const program = new URL('../flood/program.js', import.meta.url);
          const run = { contender, warmUpMs, measuredMs: measuredMs * LENGTH };
          const measured = await inChildProcess(program, run);
          plot('Resident memory of a flooded consumer', 'bytes', measured.points);
          return { [gap]: measured.gapNs, [growth]: measured.growth };
        },
      })),
    },
  ],
  bars: [
    {
      claim: 'largest timer gap of a flooded consumer, vs MessagePort, unbounded',
      of: { figure: gap, subject: 'sluice' },
      to: { figure: gap, subject: unbounded.title },
      atMost: 1 / 50,
    },
    {
      claim: 'the same, vs MessagePort with a bound on what is in flight',
      of: { figure: gap, subject: 'sluice' },
      to: { figure: gap, subject: 'MessagePort' },
    },
  ],
};
