const { Queue, record, u32 } = require('sluice');
const { limit } = require('sluice/http');

const orders = Queue.create(record({ sku: u32 }), { capacity: 4 });
setTimeout(() => orders.tryPush({ sku: 7 }), 10);
const consuming = orders.consume(([order]) => {
  console.log(JSON.stringify({ order, limit: typeof limit }));
  orders.close();
});
consuming.catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
