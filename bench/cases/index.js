/**
 * The groups of figures, in the order of the reports. A new group needs one import and one name, here or in
 * repository-only/index.js.
 */
import { existsSync } from 'node:fs';
import { group as allocation } from './allocation/group.js';
import { group as callCost } from './call-cost/group.js';
import { group as flood } from './flood/group.js';
import { group as latency } from './latency/group.js';
import { group as sizes } from './sizes/group.js';
import { group as spinning } from './spinning/group.js';
import { group as stalled } from './stalled/group.js';
import { group as terminated } from './terminated/group.js';
import { group as throughput } from './throughput/group.js';
import { group as wakeUp } from './wake-up/group.js';

const published = [
  callCost,
  throughput,
  spinning,
  sizes,
  latency,
  flood,
  stalled,
  wakeUp,
  terminated,
  allocation,
];

/**
 * @returns {Promise<import('../harness/runner/group.js').Group[]>} all groups that are installed; the repository has
 *   more of them than the package
 */
export async function loadGroups() {
  if (!existsSync(new URL('./repository-only/index.js', import.meta.url))) return published;
  const { groups } = await import('./repository-only/index.js');
  return [...published, ...groups];
}
