/** Threads terminated while they push. */
import { file as atomicsRing } from '../../rivals/atomics-ring/rival.js';
import { file as sluice } from '../queues/sluice.js';
import { countWedged } from './measure.js';

const WORKERS = 150;
const WORKERS_QUICK = 15;
const figure = 'terminated/wedged';
const measured = [
  { subject: 'sluice', rival: sluice },
  { subject: 'Atomics ring', rival: atomicsRing },
];

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'terminated',
  title: 'Producers terminated while they push',
  about:
    `${WORKERS} workers (with --quick ${WORKERS_QUICK}), one after the other, are terminated while they push one at a time to their own ring. ` +
    'The figure counts the rings whose consumer gets no record afterwards, because a slot was claimed and not published. ' +
    'JavaScript can be interrupted between two statements; a native call cannot.',
  roundsMax: 1,
  comparisons: [
    {
      title: 'rings left wedged by terminated workers',
      figures: [{ id: figure, title: 'Rings left wedged', unit: 'count' }],
      cases: measured.map(({ subject, rival }) => ({
        subject,
        run: async ({ quick }) => ({
          [figure]: await countWedged({
            rival,
            workers: quick ? WORKERS_QUICK : WORKERS,
            random: Math.random,
          }),
        }),
      })),
    },
  ],
  bars: [
    {
      claim: 'workers terminated while pushing that leave the pure-JS ring wedged',
      of: { figure, subject: 'Atomics ring' },
    },
    {
      claim: "workers terminated while pushing that leave sluice's ring wedged",
      of: { figure, subject: 'sluice' },
      atMost: 0,
    },
  ],
};
