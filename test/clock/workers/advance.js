import { parentPort, workerData } from 'node:worker_threads';
import { ManualClock } from 'sluice';

ManualClock.attach(workerData.handle).advance(workerData.ms);
parentPort.postMessage({ type: 'advanced' });
