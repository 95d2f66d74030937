// @ts-check
// A limiter and a gate behind Fastify. The limiter answers 429 before a body is read, the gate 202 or 409 after it.
import Fastify from 'fastify';
import { Gate, Limiter, Queue, record, Stock, u16, u32, u53 } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';

const Order = record({ orderId: u53, user: u53, sku: u32, quantity: u16 });
const queue = Queue.create(Order, { capacity: 1_024 });
const stock = Stock.create({ items: [{ sku: 1001, quantity: 1 }] });
const fields = /** @type {const} */ ({ sku: 'sku', quantity: 'quantity', user: 'user', id: 'orderId' });
const gate = Gate.create({ queue, stock, fields });
const limiter = Limiter.create({ slidingWindow: { limit: 2, windowMs: 60_000 }, keys: { max: 10_000 } });

const fastify = Fastify();
fastify.register(fastifyLimit, { limiter });
fastify.post('/orders', async ({ body }, reply) => {
  const { outcome } = gate.admit(/** @type {import('sluice').Infer<typeof Order>} */ (body));
  reply.code(outcome === 'admitted' ? 202 : 409);
  return { outcome };
});

for (const orderId of [1, 2, 3]) {
  const payload = { orderId, user: orderId, sku: 1001, quantity: 1 };
  const response = await fastify.inject({ method: 'POST', url: '/orders', payload });
  console.log(response.statusCode, response.body);
}
await fastify.close();

// Prints:
// 202 {"outcome":"admitted"}
// 409 {"outcome":"sold-out"}
// 429 {"error":"rate limited"}
