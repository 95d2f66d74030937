// A thread with a queue object. A message names a method: the thread calls it, and posts the result. If the message has
// a name `keep`, the thread keeps the result (a permit, a batcher) by that name. A later message calls a method of what
// is kept by naming it in `on`.
import { parentPort, workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Row } from '../row.js';

/** @type {unknown[]} */
const spilled = [];
const onOverflow = (/** @type {unknown} */ value) => spilled.push(value);
const queue = Queue.attach(Row, workerData.handle, workerData.spills ? { onOverflow } : {});
/** @type {Record<string, any>} */
const objects = { queue, spilled: { take: () => spilled.splice(0) } };
/** The controllers of the calls' signals, by name. @type {Record<string, AbortController>} */
const controllers = {};

/** @param {any} call */
async function run({ id, on, method, args, keep, signal }) {
  const given = [...args];
  if (signal !== undefined) {
    controllers[signal] = new AbortController();
    given[given.length - 1] = { ...given.at(-1), signal: controllers[signal].signal };
  }
  try {
    const value = await objects[on][method](...given);
    if (keep !== undefined) objects[keep] = value;
    parentPort.postMessage({ type: `answer ${id}`, value: keep === undefined ? value : undefined });
  } catch (error) {
    parentPort.postMessage({ type: `answer ${id}`, code: error.code ?? String(error) });
  }
}

parentPort.on('message', (message) => {
  if (message.type === 'call') void run(message);
  else if (message.type === 'abort') controllers[message.signal].abort(new Error('aborted'));
  else if (message.type === 'gather') gather(message);
  else process.exit();
});

/**
 * Gathers rows in a batcher. Then ends the thread (`exits`), or blocks it so that the turn never ends.
 * @param {any} order
 */
function gather({ rows, lane, exits }) {
  const batcher = queue.batcher({ lane });
  for (const row of rows) batcher.push(row);
  parentPort.postMessage({ type: 'gathered', size: batcher.size });
  if (exits) process.exit();
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

parentPort.postMessage({ type: 'ready' });
