// @ts-check
import { parentPort, workerData } from 'node:worker_threads';
import { Client } from './client.js';
import { visits } from './scenario.js';
import { Shoppers } from './shoppers.js';

/**
 * @typedef {object} LoadTask
 * @property {string[]} urls
 * @property {number} requests     of the whole sale
 * @property {number} users
 * @property {number} share        this thread takes every `shares`-th visit, beginning with number `share`
 * @property {number} shares
 * @property {number} connections  of this thread
 * @property {number} deadlineMs   from the start of this thread
 */

if (parentPort === null) throw new Error('load.js runs as a worker thread: start main.js');

/** @type {LoadTask} */
const task = workerData;
const client = new Client(task.urls, task.connections);
const shoppers = new Shoppers(client, task.connections, task.urls.length > 1);

const deadline = setTimeout(
  () => shoppers.stop(`the load did not end within ${task.deadlineMs / 1_000} s`),
  task.deadlineMs,
);
parentPort.on('message', ({ type }) => {
  if (type === 'stop') shoppers.stop('the load was interrupted');
});

parentPort.postMessage({ type: 'ready' });
await shoppers.send(share());
clearTimeout(deadline);
await client.close();
const findings = shoppers.findings();
parentPort.postMessage({ type: 'result', value: findings }, [findings.responseMs.buffer]);
parentPort.close();

function* share() {
  let index = 0;
  for (const visit of visits(task)) {
    if (index % task.shares === task.share) yield visit;
    index += 1;
  }
}
