// A process of the tests that sells: node seller.js <json>
//
// It reserves units one after the other, in several loops, each order with an id of its own, and writes what it was
// told to a file: 'reserved <id>', then 'confirmed <id>' or 'cancelled <id>' for some.

import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RedisStock } from 'sluice/redis';
import { connect } from './connection.js';

const { port, client, file, name, loops = 8, users, ...options } = JSON.parse(process.argv[2] ?? '{}');
const book = openSync(file, 'a');
const redis = await connect(port, client);
/** @type {RedisStock | undefined} */
let stock;
while (stock === undefined) {
  stock = await RedisStock.open({ redis, ...options }).catch(() => undefined);
  if (stock === undefined) await sleep(50);
}
let isEnding = false;
process.once('SIGTERM', () => {
  isEnding = true;
});
console.log('ready');

/** @param {RedisStock} stock @param {number} loop */
async function sell(stock, loop) {
  for (let n = 0; !isEnding; n++) {
    const id = `${name}-${process.pid}-${loop}-${n}`;
    const user = Math.trunc(Math.random() * users);
    let answer = await stock.reserve({ sku: 7, quantity: 1, user, id });
    for (let tries = 0; !answer.ok && answer.reason === 'unavailable' && tries < 20; tries++) {
      answer = await stock.reserve({ sku: 7, quantity: 1, user, id });
    }
    if (!answer.ok) {
      await sleep(answer.reason === 'sold-out' ? 20 : 1);
      continue;
    }
    writeSync(book, `reserved ${id}\n`);
    if (n % 3 === 2) continue;
    const call = n % 3 === 0 ? stock.confirm(answer.reservation) : stock.cancel(answer.reservation);
    const resolution = await call.catch(() => 'unknown');
    if (/^(?:confirmed|cancelled)$/.test(resolution)) writeSync(book, `${resolution} ${id}\n`);
    await sleep(Math.random() * 4);
  }
}

await Promise.all(Array.from({ length: loops }, (_, loop) => sell(stock, loop)));
await stock.close();
process.exit(0);
