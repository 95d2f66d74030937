// @ts-check
// The figures of a sale as metrics of prom-client, which a Prometheus server scrapes.
import { Registry } from 'prom-client';
import { Gate, Queue, record, Stock, u32 } from 'sluice';
import { register } from 'sluice/metrics';

const Order = record({ id: u32, sku: u32, quantity: u32 });
const queue = Queue.create(Order, { capacity: 1_024 });
const stock = Stock.create({ items: [{ sku: 1001, quantity: 2 }] });
const gate = Gate.create({ queue, stock, fields: { sku: 'sku', quantity: 'quantity', id: 'id' } });
const registry = new Registry();
const unregister = register(registry, { queue, stock, gate, skus: [1001], labels: { shop: 'web' } });

for (const id of [1, 2, 3]) gate.admit({ id, sku: 1001, quantity: 1 });
const text = await registry.metrics(); // what a route /metrics sends
for (const line of text.split('\n')) if (/^sluice_stock_units/.test(line)) console.log(line);
unregister();

// Prints:
// sluice_stock_units{shop="web",item="1001",state="available"} 0
// sluice_stock_units{shop="web",item="1001",state="reserved"} 2
// sluice_stock_units{shop="web",item="1001",state="sold"} 0
