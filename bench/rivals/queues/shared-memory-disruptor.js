/**
 * shared-memory-disruptor: the LMAX Disruptor in C++ over POSIX shared memory, for threads and processes.
 *
 * It is used by its synchronous calls: its asynchronous calls go through libuv's thread pool and are several times
 * slower. A record of 56 bytes is one element; a batch is claimed at once (`produceClaimManySync`) and committed at
 * once. `spin` is off, so a call returns if the ring is full, or if a commit must wait for another producer's commit
 * (elements are committed in the order of their claims). Such a commit is tried again; after every 32 tries the
 * producer first sleeps for 0.1 ms, as it does in the harness. With `spin` on, a producer waits inside the native call
 * and takes the processor from the producer for which it waits: 3 producers on 2 processors were 40 times slower. The
 * consumer takes all new elements with `consumeNewSync`. There is no wake-up, so it looks in every turn of its event
 * loop, as the package's own streams do.
 */
import { existsSync, rmSync } from 'node:fs';
// @ts-expect-error It has no types.
import disruptor from 'shared-memory-disruptor';
import { CAPACITY } from '../../harness/rival.js';
import { ORDER_BYTES, OrderBytes, writeBytes } from './order-bytes.js';
import { poll } from './poll.js';

/** @typedef {import('../../harness/traffic.js').Order} Order */

const { Disruptor } = disruptor;
const CONSUMERS = 1;
const NO_CONSUMER = -1;
/** Tries to commit before a producer sleeps; they take about as long as a commit. */
const TRIES = 32;
const PAUSE_MS = 0.1;

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'shared-memory-disruptor',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 64,
};

let rings = 0;

/** @param {string} name @param {number} consumer @param {boolean} creates */
function open(name, consumer, creates = false) {
  return new Disruptor(name, CAPACITY, ORDER_BYTES, CONSUMERS, consumer, creates, false);
}

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers) {
  const name = `/sluice-bench-${process.pid}-${rings++}`;
  const ring = open(name, NO_CONSUMER, true);
  const end = { data: name, transfer: [] };
  return {
    consumer: end,
    producers: new Array(producers).fill(end),
    dispose() {
      ring.release();
      // The package never removes the name of the memory. Where the name is not a file (macOS), the memory stays until
      // the machine restarts.
      const file = `/dev/shm${name}`;
      if (existsSync(file)) rmSync(file);
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openInlet']} */
export function openInlet(name) {
  const ring = open(name, NO_CONSUMER);
  const neverWoken = new Int32Array(new SharedArrayBuffer(4));
  /** @type {DataView | undefined} a view of the whole ring: all buffers of the ring are slices of one */
  let bytes;

  function commit() {
    for (let tries = 1; !ring.produceCommitSync(); tries++) {
      if (tries % TRIES === 0) Atomics.wait(neverWoken, 0, 0, PAUSE_MS);
    }
  }

  return {
    push(order) {
      /** @type {Buffer} */
      const element = ring.produceClaimSync();
      if (element.length === 0) return false;
      bytes ??= new DataView(element.buffer);
      writeBytes(order, bytes, element.byteOffset);
      commit();
      return true;
    },
    pushMany(orders) {
      /** @type {Buffer[]} one buffer, or two where the elements go round the end of the ring */
      const claimed = ring.produceClaimManySync(orders.length);
      let next = 0;
      for (const elements of claimed) {
        bytes ??= new DataView(elements.buffer);
        const end = elements.byteOffset + elements.length;
        for (let at = elements.byteOffset; at < end; at += ORDER_BYTES) {
          writeBytes(/** @type {Order} */ (orders[next++]), bytes, at);
        }
      }
      if (next > 0) commit();
      return next;
    },
  };
}

/** @type {import('../../harness/rival.js').Rival['openOutlet']} */
export function openOutlet(name) {
  const ring = open(name, 0);
  const view = new OrderBytes(new DataView(new ArrayBuffer(0)));

  /**
   * Takes all elements, whatever `max` is, because the package's call takes all.
   * @type {import('../../harness/rival.js').Outlet['drain']}
   */
  function drain(visit) {
    let visited = 0;
    for (const elements of ring.consumeNewSync()) {
      if (view.bytes.buffer !== elements.buffer) view.bytes = new DataView(elements.buffer);
      const end = elements.byteOffset + elements.length;
      for (view.at = elements.byteOffset; view.at < end; view.at += ORDER_BYTES) visit(view);
      visited += elements.length / ORDER_BYTES;
    }
    if (visited > 0) ring.consumeCommit();
    return visited;
  }

  return { drain, consume: (visit) => poll(() => drain(visit, Number.POSITIVE_INFINITY)) };
}
