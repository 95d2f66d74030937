/** A producer thread that pushes one at a time without end, until it is terminated while it pushes. */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { OrderSource } from '../../harness/traffic.js';

/** After this many records it reports that it is pushing. */
const UNDER_WAY = 1_000;

const { rival, link } = workerData;
const { openInlet } = await load(rival);
const inlet = openInlet(link);
const source = new OrderSource(0, 1);

for (let pushed = 0; ; pushed++) {
  for (const order of source.next()) inlet.push(order);
  if (pushed === UNDER_WAY) parentPort?.postMessage('under way');
}
