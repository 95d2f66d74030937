/**
 * BroadcastChannel: every channel of one name gets every message but its own.
 *
 * Each producer has its own name, so that only the consumer gets its messages: with one name for all, each producer
 * would get the messages of the others. Otherwise it is used as MessagePort, on which it is built.
 */
import { BroadcastChannel } from 'node:worker_threads';
import { boundedInlet, boundedOutlet, newBound } from '../built-in/bounded-messages.js';

/** @typedef {import('../built-in/bounded-messages.js').Bound} Bound */

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'BroadcastChannel',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 64,
};

let links = 0;

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers) {
  const link = links++;
  const bound = newBound(64);
  const names = Array.from({ length: producers }, (_, i) => `sluice-bench-${link}-${i}`);
  return {
    consumer: { data: { names, ...bound }, transfer: [] },
    producers: names.map((name) => ({ data: { name, ...bound }, transfer: [] })),
    dispose() {},
  };
}

/** @param {{ name: string } & Bound} data */
export function openInlet({ name, ...bound }) {
  return boundedInlet(new BroadcastChannel(name), bound);
}

/** @param {{ names: string[] } & Bound} data */
export function openOutlet({ names, ...bound }) {
  const channels = names.map((name) => new BroadcastChannel(name));
  return boundedOutlet(channels, bound, (channel, receive) => {
    channel.onmessage = (event) => receive(/** @type {{ data: ArrayLike<number> }} */ (event).data);
  });
}
