/**
 * `npm run bench:flame` shows where the time goes while a producer thread sends one record of 64 bytes at a time to a
 * consumer's event loop. For MessagePort, the Atomics ring and sluice, and for both threads, it writes the CPU profile
 * (which Chrome's developer tools and speedscope open) and a flame graph to bench/results/flame.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as sluice from '../cases/queues/sluice.js';
import * as atomicsRing from '../rivals/atomics-ring/rival.js';
import * as messagePort from '../rivals/built-in/message-port.js';
import { callTree } from './call-tree.js';
import { drawFlameGraphs } from './draw.js';
import { profileThreads } from './profile-threads.js';

const MEASURED_MS = 2_000;
const rivals = { 'message-port': messagePort, 'atomics-ring': atomicsRing, sluice };
const roles = /** @type {const} */ (['producer', 'consumer']);
const folder = fileURLToPath(new URL('../results/flame', import.meta.url));

mkdirSync(folder, { recursive: true });
const graphs = [];
for (const [name, { about, file: rival }] of Object.entries(rivals)) {
  const profiles = {
    producer: join(folder, `${name}-producer.cpuprofile`),
    consumer: join(folder, `${name}-consumer.cpuprofile`),
  };
  await profileThreads({ rival, measuredMs: MEASURED_MS, profiles });
  for (const role of roles) {
    const tree = callTree(JSON.parse(readFileSync(profiles[role], 'utf8')));
    graphs.push({ title: `${about.title}: the ${role}`, tree, file: join(folder, `${name}-${role}.svg`) });
  }
}
const drawn = await drawFlameGraphs(graphs.map(({ title, tree }) => ({ title, tree })));
for (const [i, { file }] of graphs.entries()) {
  writeFileSync(file, drawn[i] ?? '');
  console.log(file);
}
