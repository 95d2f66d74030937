// @ts-check
import { createServer } from 'node:http';
import { dashboard } from 'sluice/dashboard';
import { CATALOGUE } from './catalogue.js';
import { CashierCrew } from './crew.js';

/**
 * Serves the page of `--dashboard` on a free port of this machine, and prints its address.
 * @param {import('./sale.js').Sale} sale
 * @param {import('./worker-thread.js').WorkerThread<unknown> | CashierCrew} cashier
 * @param {import('./stream-till.js').StreamTill | undefined} till
 */
export async function openDashboard({ queue, limiter, stock, gate }, cashier, till) {
  const skus = CATALOGUE.map(({ sku }) => sku);
  const crew = cashier instanceof CashierCrew ? { crew: cashier } : undefined;
  const workers = () => ({
    ...(!(cashier instanceof CashierCrew) && { cashier: cashier.thread }),
    ...till?.workers,
  });
  const redis = till && { redis: till.shown };
  const { handler, token } = dashboard({ queue, limiter, stock, gate, skus, workers, ...crew, ...redis });
  const server = createServer(handler);
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  process.stderr.write(`dashboard: http://localhost:${port}/?token=${token}\n`);
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
