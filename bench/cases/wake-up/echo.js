/** The other end of the round trips: an event loop that is idle until an order comes, and answers it with an order. */
import { parentPort, workerData } from 'node:worker_threads';
import { load } from '../../harness/rival.js';
import { OrderSource } from '../../harness/traffic.js';

const { rival, there, back } = workerData;
const { openInlet, openOutlet } = await load(rival);
const inlet = openInlet(back);
const source = new OrderSource(0, 1);

const consuming = openOutlet(there).consume(() => {
  for (const order of source.next()) inlet.push(order);
});
parentPort?.postMessage('ready');
await consuming;
