/**
 * `npm run bench:flame`: where the time goes, one record of 64 bytes at a time, producer thread to consumer's event
 * loop. Writes for MessagePort, the Atomics ring and sluice, and for both threads, the CPU profile (which Chrome's
 * developer tools and speedscope open) and a flame graph, to bench/results/flame.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { load } from '../harness/rival.js';
import { callTree } from './call-tree.js';
import { drawFlameGraphs } from './draw.js';
import { profileThreads } from './profile-threads.js';

const MEASURED_MS = 2_000;
const rivals = {
  'message-port': 'rivals/built-in/message-port.js',
  'atomics-ring': 'rivals/atomics-ring/rival.js',
  sluice: 'cases/queues/sluice.js',
};
const roles = /** @type {const} */ (['producer', 'consumer']);
const folder = fileURLToPath(new URL('../results/flame', import.meta.url));

mkdirSync(folder, { recursive: true });
const graphs = [];
for (const [name, rival] of Object.entries(rivals)) {
  const { about } = await load(rival);
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
