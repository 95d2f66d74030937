// @ts-check
// On SIGTERM: no new requests, no new orders; the orders that were admitted are handled; then the process ends.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Gate, Queue, record, Stock, u32 } from 'sluice';

const Order = record({ id: u32, sku: u32, quantity: u32 });
const queue = Queue.create(Order, { capacity: 1_024 });
const stock = Stock.create({ items: [{ sku: 1001, quantity: 100 }] });
const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });

let id = 0;
const server = createServer((_request, response) => {
  const { outcome } = gate.admit({ id: ++id, sku: 1001, quantity: 1 });
  response.writeHead(outcome === 'admitted' ? 202 : 503, { connection: 'close' }).end();
});
const handled = gate.consume(async () => {
  await sleep(20); // a payment
});

process.once('SIGTERM', () => {
  server.close(); // requests that run are still answered
  server.once('close', () => queue.close()); // then admit answers 'closed', and consume ends when the queue is empty
});

server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
for (let n = 0; n < 3; n++) await fetch(`http://127.0.0.1:${port}`);
process.kill(process.pid, 'SIGTERM'); // what a container runtime does

await handled;
console.log(`sold: ${stock.counts(1001).sold}, held: ${stock.counts(1001).reserved}`);

// Prints:
// sold: 3, held: 0
