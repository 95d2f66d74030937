/** MessagePort: one for each producer. The messages, and the bound that ports lack, are in bounded-messages.js. */
import { MessageChannel } from 'node:worker_threads';
import { boundedInlet, boundedOutlet, newBound } from './bounded-messages.js';

/** @typedef {import('node:worker_threads').MessagePort} MessagePort */
/** @typedef {import('./bounded-messages.js').Bound} Bound */

export const file = import.meta.url;

/** @type {import('../../harness/rival.js').About} */
export const about = {
  title: 'MessagePort',
  producersMax: Number.POSITIVE_INFINITY,
  batches: true,
  recordBytes: 'any',
};

/** @type {import('../../harness/rival.js').Rival['connect']} */
export function connect(producers, recordBytes = 64) {
  const bound = newBound(recordBytes);
  const channels = Array.from({ length: producers }, () => new MessageChannel());
  const ports = channels.map((channel) => channel.port1);
  return {
    consumer: { data: { ports, ...bound }, transfer: ports },
    producers: channels.map(({ port2 }) => ({ data: { port: port2, ...bound }, transfer: [port2] })),
    dispose() {
      for (const channel of channels) channel.port1.close();
    },
  };
}

/** @param {{ port: MessagePort } & Bound} data */
export function openInlet({ port, ...bound }) {
  return boundedInlet(port, bound);
}

/** @param {{ ports: MessagePort[] } & Bound} data */
export function openOutlet({ ports, ...bound }) {
  return boundedOutlet(ports, bound, (port, receive) => void port.on('message', receive));
}
