/** The groups of figures. A new one is one line here; see runner/group.js for what it exports. */
import { existsSync } from 'node:fs';

/** In the order of the reports. Those that are not in this copy of sluice (they need its repository) are left out. */
const files = [
  './call-cost/group.js',
  './throughput/group.js',
  './spinning/group.js',
  './sizes/group.js',
  './latency/group.js',
  './flood/group.js',
  './stalled/group.js',
  './wake-up/group.js',
  './terminated/group.js',
  './allocation/group.js',
  './repository-only/wake-up-floor/group.js',
  './repository-only/peers/group.js',
  './repository-only/limiter/group.js',
  './repository-only/gate/group.js',
  './repository-only/core-ring/group.js',
  './repository-only/traps/group.js',
];

/** @returns {Promise<import('../harness/runner/group.js').Group[]>} all that are here */
export async function loadGroups() {
  const here = files.filter((file) => existsSync(new URL(file, import.meta.url)));
  return Promise.all(here.map(async (file) => (await import(file)).group));
}
