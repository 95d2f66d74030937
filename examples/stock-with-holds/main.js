// @ts-check
// Units are held for a customer who pays, and go back on sale when the payment fails or takes too long.
import { ManualClock, Stock } from 'sluice';

const clock = new ManualClock(); // stands for time that passes; leave it out in a service
const stock = Stock.create({ items: [{ sku: 'console', quantity: 2, perUser: 1 }], holdMs: 30_000, clock });

const anna = stock.reserve({ sku: 'console', quantity: 1, user: 'anna', id: 'order-1' });
const ben = stock.reserve({ sku: 'console', quantity: 1, user: 'ben', id: 'order-2' });
const carla = stock.reserve({ sku: 'console', quantity: 1, user: 'carla', id: 'order-3' });
if (!anna.ok || !ben.ok) throw new Error('there were two');
console.log(`carla: ${carla.ok ? 'held' : carla.reason}`);

console.log(`anna has paid: ${stock.confirm(anna.reservation)}`);
clock.advance(30_000);
console.log(`ben pays too late: ${stock.confirm(ben.reservation)}`);
console.log(stock.counts('console'));
stock.audit(); // recomputes every count from the reservations, and throws if one differs

// Prints:
// carla: sold-out
// anna has paid: confirmed
// ben pays too late: expired
// { total: 2, available: 1, reserved: 0, sold: 1 }
