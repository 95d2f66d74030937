import { Queue, record, traceContext, u32, u53, utf8 } from 'sluice';

/** @type {import('sluice').Queue<any>} */
let seen;

/** @param {import('sluice').QueueHandle} handle */
export function setup(handle) {
  seen = Queue.attach(
    record({ id: u53, sku: u32, quantity: u32, trace: traceContext(), note: utf8(8) }),
    handle,
  );
}

/** @param {object} order */
export default function handle(order) {
  seen.tryPush(order);
}
