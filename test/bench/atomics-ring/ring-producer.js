/**
 * Worker of ring.test.js: pushes `count` parcels, or with an infinite count until the ring is closed, and reports the
 * sum of their weights. With `seen` it waits before each push until the consumer has counted the parcel before.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { record } from '../../../bench/rivals/atomics-ring/record.js';
import { Ring } from '../../../bench/rivals/atomics-ring/ring.js';

const { fields, handle, producer, batch, count, seen } = workerData;
const ring = Ring.attach(record(fields), handle);
const neverWoken = new Int32Array(new SharedArrayBuffer(4));
let weights = 0;

try {
  for (let sequence = 0; sequence < count; sequence += batch) {
    if (seen) while (Atomics.load(seen, 0) < sequence) Atomics.wait(seen, 0, sequence - 1);
    const size = Math.min(batch, count - sequence);
    pushAll(Array.from({ length: size }, (_, i) => parcel(sequence + i)));
  }
} catch (error) {
  if (count !== Number.POSITIVE_INFINITY) throw error;
}
parentPort?.postMessage({ weights });

/** @param {number} sequence */
function parcel(sequence) {
  const weight = (producer + 1) * ((sequence % 1000) / 2);
  weights += weight;
  return { producer, sequence, weight };
}

/** @param {ReturnType<typeof parcel>[]} parcels */
function pushAll(parcels) {
  let rest = parcels;
  while (rest.length > 0) {
    const [first] = rest;
    const taken = batch === 1 && first ? Number(ring.tryPush(first)) : ring.tryPushMany(rest);
    if (taken === 0) Atomics.wait(neverWoken, 0, 0, 0.1);
    rest = rest.slice(taken);
  }
}
