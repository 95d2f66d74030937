// A process of the tests that dies at a chosen step: node mortal.js <json>
//
// Its steps are the commands that it sends, counted over all of its connections. At step `step` it kills itself:
// `moment` 'before' the command is sent; when the server has 'run' it, before the reply is there; or when the reply is
// there, and the caller that it settles is about to be told ('answered'). What its callers were told it writes to the
// standard output, one JSON line each. It ends with code 0 if it has no such step.

import { writeSync } from 'node:fs';
import { RedisGate, RedisLimiter, RedisQueue, RedisStock, RedisWorkers } from 'sluice/redis';
import { fields, Order, order } from '../../gate/order.js';
import { connect } from './connection.js';

const { port, sale, scene, step, moment, items, lease } = JSON.parse(process.argv[2] ?? '{}');
let [steps, isDying] = [0, false];

function die() {
  process.kill(process.pid, 'SIGKILL');
  // The signal may come a moment later: nothing happens meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** @param {Record<string, unknown>} what */
function tell(what) {
  if (isDying) die();
  writeSync(1, `${JSON.stringify(what)}\n`);
}

/**
 * @param {import('sluice/redis').RedisPort} redis
 * @returns {import('sluice/redis').RedisPort}
 */
function deadly(redis) {
  return {
    async send(args, options) {
      steps++;
      const isStep = steps === step;
      if (isStep && moment === 'before') die();
      try {
        return await redis.send(args, options);
      } finally {
        if (isStep && moment === 'run') die();
        isDying ||= isStep;
      }
    },
    duplicate: async (key) => deadly(await redis.duplicate(key)),
    close: () => redis.close(),
  };
}

/** @param {RedisStock} stock */
async function sell(stock) {
  /** @param {string} id @param {import('sluice').ReserveOptions | import('sluice').CartLine[]} what */
  const reserve = async (id, what) => {
    tell({ asks: id });
    const answer = await (Array.isArray(what)
      ? stock.reserveAll(what, { id, user: 1 })
      : stock.reserve({ ...what, id }));
    tell({ id, state: answer.ok ? 'held' : answer.reason });
    return answer.ok ? answer.reservation : 0n;
  };
  const first = await reserve('first', { sku: 1, quantity: 1, user: 1 });
  const second = await reserve('second', { sku: 1, quantity: 2, user: 2 });
  const cart = await reserve('cart', [
    { sku: 1, quantity: 1 },
    { sku: 2, quantity: 1 },
  ]);
  tell({ id: 'first', state: await stock.confirm(first) });
  tell({ id: 'second', state: await stock.cancel(second) });
  await stock.extend(cart, 600_000);
  tell({ adds: 5 });
  tell({ added: (await stock.restock(1, 5)) && 5 });
  tell({ takes: 2 });
  tell({ taken: await stock.withdraw(2, 2) });
}

/** @param {RedisStock} stock @param {import('sluice/redis').RedisPort} redis */
async function sellAtGate(stock, redis) {
  const tokenBucket = { ratePerSecond: 0.01, burst: 10 };
  const limiter = await RedisLimiter.open({ redis, prefix: 'test', name: sale, tokenBucket });
  const stream = `test:{${sale}}:orders`;
  const queue = new RedisQueue({ redis, stream, record: Order, id: 'id' });
  const gate = RedisGate.create({ stock, queue, limiter, fields });
  for (const id of [1, 2, 3]) {
    tell({ asks: id });
    // The last one wants more than there is: it gets its charge back.
    const { outcome } = await gate.admit(order(id, { quantity: id === 3 ? 99 : 1 }));
    tell({ id, state: outcome });
  }
  const workers = new RedisWorkers({
    ...{ redis, stream, record: Order, group: 'cashiers', stock, blockMs: 50, claimIdleMs: 10_000 },
  });
  const end = new AbortController();
  let handled = 0;
  await workers
    .run(
      ({ id }) => {
        tell({ handles: Number(id) });
        if (++handled === 2) end.abort();
      },
      { signal: end.signal },
    )
    .catch(() => {});
  await gate.close();
  await limiter.close();
}

const redis = deadly(await connect(port, 'redis'));
const stock = await RedisStock.open({ redis, prefix: 'test', sale, items, lease, holdMs: 600_000 });
tell({ open: true });
await (scene === 'gate' ? sellAtGate(stock, redis) : sell(stock));
await stock.close();
process.exit(0);
