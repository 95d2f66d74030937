/** The gate: the cost of an answer, compared with a gate made of packages, and with Redis. */
import { ifInstalled } from '../../../harness/repository-only/if-installed.js';
import { cost, rate } from '../calls/figure.js';
import * as emptyCallModule from '../empty-call/empty-call.js';
import * as sluiceModule from './sluice-gate.js';

const sluice = { module: sluiceModule };
const emptyCall = { module: emptyCallModule };
const js = await ifInstalled(() => import('../../../rivals/gates/js-gate.js'));
const redis = await ifInstalled(() => import('../../../rivals/gates/redis.js'));
const packages = 'rate-limiter-flexible + Map + fastq';
const gate = 'sluice admit()';
const empty = 'an empty Node-API call';
const oneThread = 'sluice admit(), 1 thread';
const twoThreads = 'sluice admit(), 2 threads';
const oneInFlight = 'Redis, 1 in flight';
const manyInFlight = 'Redis, 256 in flight';

const admitted = 'gate/admitted';
const soldOut = 'gate/sold-out';
const limited = 'gate/rate-limited';
const full = 'gate/queue-full';
const storm = 'gate/sold-out-storm';

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'gate',
  title: 'The gate',
  about:
    'Orders of one unit, answered by limiter, stock and queue. Every answer and the sold units are checked; ' +
    'between the timed calls a consumer takes the admitted orders. If there is no stock or room, the packages ' +
    'look at a Map or a number of this thread and need nothing else to refuse.',
  comparisons: [
    {
      title: 'Admitting, one thread',
      figures: [{ id: admitted, title: 'One order admitted', unit: 'ns' }],
      cases: [
        cost(admitted, gate, sluice, 'admitted'),
        cost(admitted, 'sluice admit(), three tiers', sluice, 'admitted, three tiers'),
        cost(admitted, 'sluice admit(), user limit and id', sluice, 'admitted, user limit and id'),
        cost(admitted, empty, emptyCall, 'empty call'),
        cost(admitted, packages, js, 'admitted'),
        cost(admitted, oneInFlight, redis, 'admitted, 1 in flight'),
        cost(admitted, manyInFlight, redis, 'admitted, 256 in flight'),
      ],
    },
    {
      title: 'Refusing: sold out, one thread',
      figures: [{ id: soldOut, title: 'One order refused: sold out', unit: 'ns' }],
      cases: [
        cost(soldOut, gate, sluice, 'sold-out'),
        cost(soldOut, packages, js, 'sold-out'),
        cost(soldOut, oneInFlight, redis, 'sold-out, 1 in flight'),
        cost(soldOut, manyInFlight, redis, 'sold-out, 256 in flight'),
      ],
    },
    refusing('Refusing: rate-limited, one thread', limited, [
      cost(limited, gate, sluice, 'rate-limited'),
      cost(limited, packages, js, 'rate-limited'),
    ]),
    refusing('Refusing: queue full, one thread', full, [
      cost(full, gate, sluice, 'queue-full'),
      cost(full, packages, js, 'queue-full'),
    ]),
    {
      title: 'A storm of refusals: sold out',
      figures: [{ id: storm, title: 'Orders refused by all threads together', unit: '1/s' }],
      cases: [rate(storm, oneThread, sluice, 'sold-out', 1), rate(storm, twoThreads, sluice, 'sold-out', 2)],
    },
  ],
  bars: [
    {
      claim: 'admit() vs an empty Node-API call',
      of: { figure: admitted, subject: gate },
      to: { figure: admitted, subject: empty },
      atMost: 12,
    },
    { ...cheaper('admit() vs rate-limiter-flexible + Map + fastq', admitted, packages), atLeast: 2.5 },
    {
      ...cheaper('admit(), rate-limited, vs rate-limiter-flexible + Map + fastq', limited, packages),
      atLeast: 8,
    },
    cheaper('admit(), sold out, vs a look into a Map of this thread', soldOut, packages),
    cheaper('admit(), queue full, vs comparing a number of this thread', full, packages),
    {
      claim: 'admit(), sold out: 2 threads vs 1, total rate',
      of: { figure: storm, subject: twoThreads },
      to: { figure: storm, subject: oneThread },
      atLeast: 1.8,
    },
    cheaper('admit() vs Redis, one call after the other', admitted, oneInFlight),
    cheaper('admit() vs Redis, 256 calls in flight', admitted, manyInFlight),
  ],
};

/**
 * @param {string} title
 * @param {string} figure
 * @param {import('../../../harness/runner/group.js').Case[]} cases
 */
function refusing(title, figure, cases) {
  return { title, figures: [{ id: figure, title, unit: /** @type {const} */ ('ns') }], cases };
}

/**
 * A bar for the rival's cost as a multiple of sluice's.
 * @param {string} claim
 * @param {string} figure
 * @param {string} theirs
 */
function cheaper(claim, figure, theirs) {
  return { claim, of: { figure, subject: theirs }, to: { figure, subject: gate } };
}
