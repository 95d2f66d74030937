import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** @type {Int32Array} */
let seen;

/** @param {SharedArrayBuffer} shared the element of each order gets the number of processors that its worker may use */
export function setup(shared) {
  seen = new Int32Array(shared);
}

/** @param {import('../work.js').Work} order */
export default async function handle({ id }) {
  const [, list = ''] =
    /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/thread-self/status', 'utf8')) ?? [];
  await sleep(5); // so that every worker gets some orders
  seen[id] = /^\d+$/.test(list) ? Number(list) : -1;
}
