import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../clients.js';
import { endServers, noRedis, Server } from '../servers.js';
import { leaveSales, newSale, openSale } from './sales.js';

afterEach(async () => {
  await leaveSales();
  disconnect();
});
afterAll(endServers);

const disposed = expect.objectContaining({ code: 'ERR_SLUICE_DISPOSED' });

describe.skipIf(noRedis)('A stock on Redis that is closed', () => {
  let server: Server;
  beforeAll(async () => {
    server = await Server.start();
  });

  it('refuses every call, also those that only read', async () => {
    const stock = await openSale(server.port, { items: [{ sku: 7, quantity: 3 }] });
    await stock.close();
    await expect(stock.reserve({ sku: 7, quantity: 1 })).rejects.toEqual(disposed);
    await expect(stock.counts(7)).rejects.toEqual(disposed);
    await expect(stock.find({ id: 1 })).rejects.toEqual(disposed);
    await expect(stock.audit()).rejects.toEqual(disposed);
    expect(() => stock.movements()).toThrow(disposed);
  });

  it('has answered the calls before, also those that only read', async () => {
    const stock = await openSale(server.port, { items: [{ sku: 7, quantity: 3 }] });
    const calls = [stock.counts(7), stock.find({ id: 1 }), stock.audit()];
    let answers = 0;
    for (const call of calls) void call.then(() => answers++);
    await stock.close();
    expect(answers).toBe(3);
  });

  it('ends the readers of its movements, whether they wait or have not begun', async () => {
    const stock = await openSale(server.port, { items: [{ sku: 7, quantity: 3 }] });
    const late = stock.movements();
    const waiting = stock.movements();
    expect(await waiting.next()).toMatchObject({ value: { kind: 'added' } });
    const next = waiting.next();
    await stock.counts(7); // its first look at the stream has found nothing new
    await stock.close();
    expect(await next).toEqual({ done: true, value: undefined });
    expect(await late.next()).toEqual({ done: true, value: undefined });
  });

  it('shows movements of items whose names are line breaks', async () => {
    const redis = await connect(server.port);
    for (const sku of ['\n', '\u2028\r']) {
      const stock = await openSale(server.port, { redis, sale: newSale(), items: [{ sku, quantity: 3 }] });
      const movements = stock.movements();
      expect(await movements.next()).toMatchObject({ value: { kind: 'added', sku, quantity: 3 } });
      await movements.return();
    }
  });
});
