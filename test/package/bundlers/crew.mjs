// Starts a thread of sluice, whose code is in a file of its own.
import { Queue, record, u32 } from 'sluice';
import { dispatch } from 'sluice/dispatch';

const queue = Queue.create(record({ sku: u32 }), { capacity: 4 });
const handler = new URL(`data:text/javascript,${encodeURIComponent('export default async () => {}')}`);
const crew = dispatch(queue, { workers: 1, handler, deadLetters: () => {} });
crew.done.catch(() => {});
try {
  await crew.ready;
  console.log('up');
} catch (error) {
  console.log(`${error.code}: ${error.message}`);
}
process.exit();
