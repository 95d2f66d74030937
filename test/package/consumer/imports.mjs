import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Order } from './order.mjs';

const orders = Queue.create(Order, { capacity: 4 });
const producer = new Worker(new URL('./producer.mjs', import.meta.url), { workerData: orders.handle });
const [exitCode] = await once(producer, 'exit');
console.log(JSON.stringify({ exitCode, arrived: [orders.tryPop(), orders.tryPop() ?? 'nothing more'] }));
