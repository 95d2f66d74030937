// Works on reservations whose orders are queued or in hand, and returns bought units, until it is stopped or
// terminated.
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { SeededRandom } from '../../seeded-random.js';
import { isClerks, Shop, SoakMemory, violations, workOn } from '../soak.js';

const { handle, shared, seed, texts } = workerData;
const shop = new Shop(texts);
const stock = /** @type {import('sluice').Stock} */ (Gate.attach(shop.Order, handle).stock);
const memory = new SoakMemory(shared);
const random = new SeededRandom(seed);

/** @param {import('sluice').FoundReservation} found */
function look({ reservation, user, id, lines }) {
  const number = shop.numberOf(id);
  const isWhole =
    lines.length > 0 && lines.every(({ sku }) => shop.skus.includes(shop.texts ? String(sku) : Number(sku)));
  if (String(user) !== String(shop.userOf(number)) || !isWhole) memory.violate(violations.mixedUp, number);
  if (isClerks(number) && random.chance(0.5)) workOn(shop, stock, random, reservation);
}

// Not awaited: see soak-admitter.js.
async function work() {
  while (!memory.stopped) {
    for (const found of stock.reservations({ state: random.pick(['held', 'confirmed']), limit: 200 }))
      look(found);
    for (let i = 0; i < 20; i++) {
      const id = Math.max(0, memory.ids - 1 - random.below(5_000));
      const found = stock.find({ id: shop.idOf(id) });
      if (found !== undefined) look(found);
      stock.return({ sku: random.pick(shop.skus), quantity: 1, user: shop.userOf(id) });
    }
    await sleep(random.between(1, 4));
  }
}
void work();
