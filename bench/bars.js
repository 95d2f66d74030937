/** What must hold: sluice's figure is at least so many times another's. */
import { ratios } from './statistics.js';

/**
 * @typedef {object} Bar
 * @property {string} claim
 * @property {string} ours id of sluice's figure
 * @property {import('./contenders/contender.js').ContenderName} against
 * @property {string} theirs id of the other's figure
 * @property {number} [atLeast] without it the ratio is shown, and nothing must hold
 */

const ring = 'atomics-ring';
const port = 'message-port';

/** @type {Bar[]} */
const bars = [
  { claim: 'one thread, one at a time', ours: 'call/1', against: ring, theirs: 'call/1', atLeast: 2 },
  {
    claim: 'one thread, 64 vs its one at a time',
    ours: 'call/64',
    against: ring,
    theirs: 'call/1',
    atLeast: 5,
  },
  { claim: 'one thread, 64 vs its 64', ours: 'call/64', against: ring, theirs: 'call/64', atLeast: 2 },
  { claim: '1 producer, one at a time', ours: '1p/1', against: ring, theirs: '1p/1', atLeast: 1.3 },
  { claim: '1 producer, 64 vs its one at a time', ours: '1p/64', against: ring, theirs: '1p/1', atLeast: 8 },
  { claim: '1 producer, 64 vs its 64', ours: '1p/64', against: ring, theirs: '1p/64', atLeast: 1.5 },
  { claim: '4 producers, one at a time', ours: '4p/1', against: ring, theirs: '4p/1', atLeast: 2.5 },
  {
    claim: '4 producers, 64 vs its one at a time',
    ours: '4p/64',
    against: ring,
    theirs: '4p/1',
    atLeast: 10,
  },
  { claim: '4 producers, 64 vs its 64', ours: '4p/64', against: ring, theirs: '4p/64', atLeast: 2 },
  { claim: '1 producer, one at a time', ours: '1p/1', against: port, theirs: '1p/1', atLeast: 10 },
  { claim: '1 producer, 64 vs its one at a time', ours: '1p/64', against: port, theirs: '1p/1', atLeast: 80 },
  { claim: '1 producer, 64 vs its 64 packed in one', ours: '1p/64', against: port, theirs: '1p/64' },
  { claim: '4 producers, one at a time', ours: '4p/1', against: port, theirs: '4p/1' },
  { claim: '4 producers, 64 vs its 64 packed in one', ours: '4p/64', against: port, theirs: '4p/64' },
];

/** @param {import('./samples.js').Samples} samples */
export function judge(samples) {
  return bars.map((bar) => {
    const ratio = ratios(samples.of(bar.ours, 'sluice'), samples.of(bar.theirs, bar.against));
    return { ...bar, ratio, met: bar.atLeast === undefined ? undefined : ratio.median >= bar.atLeast };
  });
}
