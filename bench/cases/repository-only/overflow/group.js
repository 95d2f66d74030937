/** A queue whose records overflow into a store. */
import { lmdbStore, sqliteStore } from 'sluice/overflow';
import { measureSpilling, measureUnused } from './measure.js';

const hasSqlite = process.versions['sqlite'] !== undefined;
const stores = [
  {
    subject: 'sqliteStore',
    make: sqliteStore,
    ...(hasSqlite ? {} : { skip: 'this Node.js has no node:sqlite' }),
  },
  { subject: 'lmdbStore', make: lmdbStore },
];
const ordersMax = 100_000;
const ordersQuick = 5_000;
const unused = 'with an overflow that is never used';
const none = 'without overflow';

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'overflow',
  title: 'Overflow into a store',
  about:
    '100,000 orders are pushed to a queue that spills, 1,024 at a time; all are durable in a file of the temporary ' +
    'directory. The delay is that of the event loop that pushes. Then orders are pushed and popped, one at a time, ' +
    'through a queue that never has to spill.',
  roundsMax: 5,
  comparisons: [
    {
      title: 'Spilling',
      figures: [
        { id: 'overflow/appends', title: 'durable orders, 1,024 in flight', unit: '1/s' },
        { id: 'overflow/loop', title: 'p99 delay of the event loop', unit: 'ns' },
      ],
      cases: stores.map(({ make, ...about }) => ({
        ...about,
        run: async ({ quick }) => {
          const { perSecond, p99 } = await measureSpilling(make, quick ? ordersQuick : ordersMax);
          return { 'overflow/appends': perSecond, 'overflow/loop': p99 };
        },
      })),
    },
    ...['tryPush', 'push'].map((call) => neverUsed(/** @type {'tryPush' | 'push'} */ (call))),
  ],
  bars: [
    ...stores.flatMap(({ subject }) => [
      {
        claim: `durable orders a second, ${subject}`,
        of: { figure: 'overflow/appends', subject },
        atLeast: 20_000,
      },
      {
        claim: `p99 delay of the loop, ${subject}`,
        of: { figure: 'overflow/loop', subject },
        atMost: 5e6,
      },
    ]),
    ...['tryPush', 'push'].map((call) => ({
      claim: `${call} with an overflow that is never used, against none`,
      of: { figure: `overflow/${call}`, subject: unused },
      to: { figure: `overflow/${call}`, subject: none },
      atMost: 1.02,
    })),
  ],
};

/** @param {'tryPush' | 'push'} call @returns {import('../../../harness/runner/group.js').Comparison} */
function neverUsed(call) {
  const id = `overflow/${call}`;
  return {
    title: `${call} and tryPop, never spilling`,
    figures: [{ id, title: `one ${call} and tryPop`, unit: 'ns' }],
    cases: [
      {
        subject: unused,
        run: async (scale) => ({ [id]: await measureUnused(lmdbStore, call, scale) }),
      },
      {
        subject: none,
        run: async (scale) => ({ [id]: await measureUnused(undefined, call, scale) }),
      },
    ],
  };
}
