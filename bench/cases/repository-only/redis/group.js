/** One sale over several processes: leased blocks and batches, against one script per order. */
import { whyNoRedis } from '../../../rivals/gates/redis-server.js';
import { measureLimiter, measureSale } from './measure.js';

const skip = whyNoRedis();
const missing = skip === undefined ? {} : { skip };
const sluice = 'RedisStock';
const unleased = 'RedisStock, without leases';
const script = 'one script per order';
const flood = 1_000;
const plenty = 4_000_000_000;
const processes = 4;

/**
 * @param {string} id
 * @param {string} title
 * @param {string} figure
 * @param {Array<{ subject: string, sells: import('./seller.js').Sells, inFlight: number, stock: number,
 *   processes: number }>} cases
 * @returns {import('../../../harness/runner/group.js').Comparison}
 */
function sale(id, title, figure, cases) {
  return {
    title,
    figures: [{ id, title: figure, unit: '1/s' }],
    cases: cases.map(({ subject, ...one }) => ({
      ...{ subject, ...missing },
      run: async (scale) => ({ [id]: (await measureSale({ ...one, ...scale })).answered }),
    })),
  };
}

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'redis',
  title: 'One sale over several processes',
  about:
    'Processes sell one item that a redis-server of this machine keeps, without a file. The rival runs one script per ' +
    'order, which takes a unit and adds the order to a stream: the same server, the same client, a connection for each ' +
    'process, all commands of one turn of the event loop written at once. Orders have ids, and users with a limit; they go through a RedisGate, whose refusal() is asked first. ' +
    'RedisStock writes its movements to a stream, some to an entry.',
  roundsMax: 5,
  comparisons: [
    sale(
      'redis/flood',
      `A flood on ${flood.toLocaleString('en')} units, ${processes} processes, 64 in flight in each`,
      'orders answered',
      [
        { subject: sluice, sells: 'leased', inFlight: 64, stock: flood, processes },
        { subject: script, sells: 'scripts', inFlight: 64, stock: flood, processes },
      ],
    ),
    sale('redis/all-win', `All orders win, ${processes} processes, 64 in flight in each`, 'orders settled', [
      { subject: sluice, sells: 'leased', inFlight: 64, stock: plenty, processes },
      { subject: script, sells: 'scripts', inFlight: 64, stock: plenty, processes },
    ]),
    sale('redis/batches', 'Batches of 256 from one process, all orders win', 'orders settled', [
      { subject: unleased, sells: 'unleased', inFlight: 256, stock: plenty, processes: 1 },
      { subject: script, sells: 'scripts', inFlight: 1, stock: plenty, processes: 1 },
      { subject: `${script}, 256 in flight`, sells: 'scripts', inFlight: 256, stock: plenty, processes: 1 },
    ]),
    {
      title: 'Calls of Redis while everything is sold',
      figures: [{ id: 'redis/calls', title: 'calls of one process', unit: '1/s' }],
      cases: [
        {
          ...{ subject: sluice, ...missing },
          run: async (scale) => {
            const given = {
              sells: /** @type {const} */ ('leased'),
              inFlight: 64,
              stock: flood,
              processes: 1,
            };
            return { 'redis/calls': (await measureSale({ ...given, ...scale })).calls };
          },
        },
      ],
    },
    {
      title: 'A limit that processes share, one process, 256 in flight',
      figures: [{ id: 'redis/limiter', title: 'requests allowed', unit: '1/s' }],
      cases: [
        {
          ...{ subject: 'RedisLimiter, leases of 1,000 tokens', ...missing },
          run: async (scale) => ({ 'redis/limiter': await measureLimiter(true, scale) }),
        },
        {
          ...{ subject: 'one script per request', ...missing },
          run: async (scale) => ({ 'redis/limiter': await measureLimiter(false, scale) }),
        },
      ],
    },
  ],
  bars: [
    {
      claim: 'a flood on 1,000 units, leased, vs one script per order',
      of: { figure: 'redis/flood', subject: sluice },
      to: { figure: 'redis/flood', subject: script },
      atLeast: 200,
    },
    {
      claim: 'all orders win, leased, vs one script per order',
      of: { figure: 'redis/all-win', subject: sluice },
      to: { figure: 'redis/all-win', subject: script },
      atLeast: 2,
    },
    {
      claim: 'batches of 256 vs one script per order, one after the other',
      of: { figure: 'redis/batches', subject: unleased },
      to: { figure: 'redis/batches', subject: script },
    },
    {
      claim: 'batches of 256 vs one script per order, 256 in flight',
      of: { figure: 'redis/batches', subject: unleased },
      to: { figure: 'redis/batches', subject: `${script}, 256 in flight` },
      atLeast: 3,
    },
    {
      claim: 'calls of Redis a second, one process, while everything is sold',
      of: { figure: 'redis/calls', subject: sluice },
      atMost: 20,
    },
    {
      claim: 'a shared limit, leases of 1,000 tokens vs one script per request',
      of: { figure: 'redis/limiter', subject: 'RedisLimiter, leases of 1,000 tokens' },
      to: { figure: 'redis/limiter', subject: 'one script per request' },
      atLeast: 50,
    },
  ],
};
