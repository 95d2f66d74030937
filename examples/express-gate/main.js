// @ts-check
// A gate behind Express: an order is admitted with 202, or refused with a status that says whether to try again.
import { once } from 'node:events';
import express from 'express';
import { Gate, Queue, record, SluiceError, Stock, u16, u32, u53 } from 'sluice';

const Order = record({ orderId: u53, user: u53, sku: u32, quantity: u16 });
const queue = Queue.create(Order, { capacity: 1_024 });
const stock = Stock.create({ items: [{ sku: 1001, quantity: 1 }] });
const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' });
const gate = Gate.create({ queue, stock, fields });

const app = express();
app.post('/orders', express.json(), ({ body }, response) => {
  const { outcome } = gate.admit(body);
  response.status(outcome === 'admitted' ? 202 : outcome === 'queue-full' ? 503 : 409).json({ outcome });
});
/** @type {import('express').ErrorRequestHandler} */
const answerErrors = (error, _request, response, next) => {
  if (!(error instanceof SluiceError)) return next(error);
  response.status(400).json({ error: error.message }); // a body that is no order
};
app.use(answerErrors);

const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
const first = { orderId: 1, user: 7, sku: 1001, quantity: 1 };
for (const order of [first, first, { ...first, orderId: 2 }, { ...first, quantity: -1 }]) {
  const headers = { 'content-type': 'application/json' };
  const asked = { method: 'POST', headers, body: JSON.stringify(order) };
  const response = await fetch(`http://127.0.0.1:${port}/orders`, asked);
  console.log(response.status, await response.text());
}
server.close();

// Prints:
// 202 {"outcome":"admitted"}
// 202 {"outcome":"admitted"}
// 409 {"outcome":"sold-out"}
// 400 {"error":"field \"quantity\": expected a whole number from 0 to 65535, got -1"}
