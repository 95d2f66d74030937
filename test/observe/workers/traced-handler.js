import { subscribe } from 'node:diagnostics_channel';
import { Queue, record, utf8 } from 'sluice';

export const Trace = record({ text: utf8(200) });

/** Writes what the tracing channel publishes in this thread to a queue. @param {import('sluice').QueueHandle} handle */
export function setup(handle) {
  const traces = Queue.attach(Trace, handle);
  for (const event of ['start', 'asyncEnd', 'error']) {
    subscribe(`tracing:sluice:gate:handle:${event}`, (message) => {
      const { order, by, hold, error } = /** @type {any} */ (message);
      traces.tryPush({
        text: `${event} ${by} ${order.id} ${hold.deliveries} ${error?.message ?? ''}`.trim(),
      });
    });
  }
}

/** @param {{ id: number }} order @param {import('sluice').Hold} hold */
export default async function handle({ id }, hold) {
  if (id === 2 && hold.deliveries === 1) throw new Error('not yet');
}
