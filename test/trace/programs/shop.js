// A shop to be traced. The main thread serves HTTP and admits orders; a worker takes each order, writes it to the file
// or device `journal` if it is to be durable, computes for `busyMs`, and confirms it. The shop keeps a book of its own.
//
//   node shop.js '{ "journal": "/dev/loop0", "busyMs": 0.2 }'
//
// Prints one line of JSON: { pid, port, main, consumer }, the last two being the numbers of the two threads in Linux.
//   POST /, POST /durable   admits an order, answers with its outcome
//   GET /book               answers [{ reservation, us }]: from before the admission of each order to its confirmation
import { readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { bool, f64, Gate, Limiter, Queue, record, Stock, u16, u32, u53 } from 'sluice';

const Order = record({ id: u53, user: u53, sku: u32, quantity: u16, isDurable: bool, at: f64 });
const settings = JSON.parse(process.argv[2] ?? '{}');
const nowUs = () => Number(process.hrtime.bigint()) / 1e3;
const thisThread = () => Number(readlinkSync('/proc/thread-self').split('/').at(-1));

function serve() {
  const gate = Gate.create({
    queue: Queue.create(Order, { capacity: 1_024 }),
    limiter: Limiter.create({ tokenBucket: { ratePerSecond: 100_000, burst: 100_000 } }),
    stock: Stock.create({
      items: [{ sku: 1, quantity: 100_000 }],
      maxReservations: 10_000,
      maxUsers: 10_000,
      maxIds: 10_000,
    }),
    fields: { sku: 'sku', quantity: 'quantity', user: 'user', id: 'id' },
  });
  const cashier = new Worker(new URL(import.meta.url), {
    workerData: gate.handle,
    argv: process.argv.slice(2),
  });
  /** @type {object[]} */
  const book = [];
  let consumer = 0;
  let id = 0;
  // Long enough for a few packets to fill a slow interface.
  const padding = 'x'.repeat(settings.answerBytes ?? 100);
  const server = createServer((request, response) => {
    if (request.url === '/book') {
      response.end(JSON.stringify(book));
      return;
    }
    id += 1;
    const { outcome } = gate.admit({
      id,
      user: id,
      sku: 1,
      quantity: 1,
      isDurable: request.url === '/durable',
      at: nowUs(),
    });
    response.end(JSON.stringify({ outcome, padding }));
  });
  const started = () =>
    server.listen(0, '127.0.0.1', () => {
      const address = /** @type {import('node:net').AddressInfo} */ (server.address());
      console.log(JSON.stringify({ pid: process.pid, port: address.port, main: thisThread(), consumer }));
    });
  cashier.on('message', (/** @type {{ consumer?: number }} */ message) => {
    if (message.consumer === undefined) {
      book.push(message);
    } else {
      consumer = message.consumer;
      started();
    }
  });
}

/** @param {import('sluice').GateHandle} handle */
async function sell(handle) {
  const gate = Gate.attach(Order, handle);
  const journal = settings.journal === undefined ? undefined : await open(settings.journal, 'r+');
  const page = Buffer.alloc(4_096, 'order');
  let written = 0;
  parentPort?.postMessage({ consumer: thisThread() });
  await gate.consume(
    async ({ at, isDurable }, hold) => {
      if (isDurable && journal !== undefined) {
        await journal.write(page, 0, page.length, (written++ % 1_024) * page.length);
        await journal.datasync();
      }
      for (const until = nowUs() + (settings.busyMs ?? 0) * 1e3; nowUs() < until; );
      hold.confirm();
      parentPort?.postMessage({ reservation: `${hold.reservation}`, us: nowUs() - at });
    },
    { batchSize: 1 },
  );
}

if (isMainThread) serve();
else await sell(workerData);
