/** The groups of figures. A new one is one line here; see runner/group.js for what it exports. */
import { existsSync } from 'node:fs';

/** In the order of the reports. Those that are not in this copy of sluice (they need its repository) are left out. */
const files = [
  './groups/call-cost.js',
  './groups/throughput.js',
  './groups/spinning.js',
  './groups/sizes.js',
  './groups/latency.js',
  './groups/flood.js',
  './groups/stalled.js',
  './groups/wake-up.js',
  './groups/terminated.js',
  './groups/allocation.js',
  './groups/wake-up-floor.js',
  './groups/peers.js',
  './groups/limiter.js',
  './groups/gate.js',
  './groups/core-ring.js',
  './groups/traps.js',
];

/** @returns {Promise<import('./runner/group.js').Group[]>} all that are here */
export async function loadGroups() {
  const here = files.filter((file) => existsSync(new URL(file, import.meta.url)));
  return Promise.all(here.map(async (file) => (await import(file)).group));
}
