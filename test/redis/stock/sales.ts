import { RedisStock, type RedisStockOptions } from 'sluice/redis';
import { connect } from '../clients.js';

let sales = 0;
const opened = new Set<RedisStock>();

/** The name of a sale that no other test of this file uses. */
export function newSale(): string {
  sales++;
  return `s${sales}`;
}

/** Opens a stock of the sale `sale`, or of a new one, on the server at `port`, with a short lease. */
export async function openSale(
  port: number,
  more: Partial<RedisStockOptions> & Pick<RedisStockOptions, 'items'>,
): Promise<RedisStock> {
  const redis = more.redis ?? (await connect(port));
  const stock = await RedisStock.open({
    ...{ redis, prefix: 'test', sale: more.sale ?? newSale() },
    ...{ lease: { ttlMs: 400, marginMs: 40, heartbeatMs: 20 }, ...more },
  });
  opened.add(stock);
  return stock;
}

/** Leaves all sales of the test file. For `afterEach` or `afterAll`, before `disconnect`. */
export async function leaveSales(): Promise<void> {
  await Promise.all([...opened].map((stock) => stock.close()));
  opened.clear();
}
