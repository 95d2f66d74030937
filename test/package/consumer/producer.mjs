import { workerData } from 'node:worker_threads';
import { Queue } from 'sluice';
import { Order } from './order.mjs';

const orders = Queue.attach(Order, workerData);
orders.tryPush({ id: 2 ** 40, quantity: 3, note: 'für Łukasz' });
