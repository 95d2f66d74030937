// A part of a crowd of buyers: node --expose-gc crowd.js <json>
//
// It admits its part of `orders` orders by a RedisGate, some of which all parts have. It prints how each was
// answered, and the bytes of its heap when a half was done and at the end.

import { setImmediate } from 'node:timers/promises';
import { RedisGate, RedisQueue, RedisStock } from 'sluice/redis';
import { fields, Order, order } from '../../gate/order.js';
import { connect } from './connection.js';

const { port, client, stream, orders, parts, part, users, ...options } = JSON.parse(process.argv[2] ?? '{}');
const redis = await connect(port, client);
const stock = await RedisStock.open({ redis, ...options, timeoutMs: 30_000 });
const queue = new RedisQueue({ redis, stream, record: Order, id: 'id', maxLength: 1_000_000 });
const gate = RedisGate.create({ stock, queue, fields });

const loops = 256;
const mine = orders / parts;
/** Of so many orders one is the same in all parts. */
const sharedOneIn = 16;
/** After so many orders that were answered without a call, other loops have their turn. */
const turn = 64;

/** @type {Record<string, number>} */
const answers = {};
let next = 0;

/** @param {number} end */
async function admit(end) {
  for (let here = 1; next < end; here++) {
    const i = next++;
    const id = i * parts + (i % sharedOneIn === 0 ? 0 : part);
    const one = order(id, { user: id % users });
    const known = gate.refusal(one);
    const admission = known ?? (await gate.admit(one));
    const isAgain = 'duplicate' in admission && admission.duplicate;
    const answer = isAgain ? `${admission.outcome} before` : admission.outcome;
    answers[answer] = (answers[answer] ?? 0) + 1;
    if (known !== undefined && here % turn === 0) await setImmediate();
  }
}

/** @param {number} end */
async function admitTo(end) {
  await Promise.all(Array.from({ length: loops }, () => admit(end)));
  globalThis.gc?.();
  await setImmediate();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const heap = [await admitTo(mine / 2), await admitTo(mine)];
await stock.close();
console.log(JSON.stringify({ answers, heap }));
process.exit(0);
