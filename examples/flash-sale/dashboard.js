// @ts-check
import { createServer } from 'node:http';
import { dashboard } from 'sluice/dashboard';
import { CATALOGUE } from './catalogue.js';

/**
 * Serves the page of `--dashboard` on a free port of this machine, and prints its address.
 * @param {import('./sale.js').Sale} sale
 * @param {{ stats(): object } | undefined} crew
 */
export async function openDashboard({ queue, limiter, stock, gate }, crew) {
  const skus = CATALOGUE.map(({ sku }) => sku);
  const shown = { queue, limiter, stock, gate, skus, ...(crew && { crew }) };
  const { handler, token } = dashboard(shown);
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
