import { workerData } from 'node:worker_threads';
import { Gate } from 'sluice';
import { Order } from './order.js';

const { queue } = Gate.attach(Order, workerData);
void queue.consume(() => {
  throw new Error('not caught');
});
