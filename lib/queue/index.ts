export { type ConsumeOptions, Queue, type QueueHandle, type QueueOptions } from './queue.js';
