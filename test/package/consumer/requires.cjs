const { isMainThread, Worker, workerData } = require('node:worker_threads');
const { Queue, record, u16, u53, utf8 } = require('sluice');

const Order = record({ id: u53, quantity: u16, note: utf8(24) });

if (isMainThread) {
  const orders = Queue.create(Order, { capacity: 4 });
  new Worker(__filename, { workerData: orders.handle }).once('exit', (exitCode) => {
    console.log(JSON.stringify({ exitCode, arrived: [orders.tryPop(), orders.tryPop() ?? 'nothing more'] }));
  });
} else {
  Queue.attach(Order, workerData).tryPush({ id: 2 ** 40, quantity: 3, note: 'für Łukasz' });
}
