import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { RedisPort, RedisStock } from 'sluice/redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, disconnect } from '../clients.js';
import { until } from '../scene.js';
import { type Binary, endServers, Server, servers } from '../servers.js';
import { leaveSales, newSale, openSale } from './sales.js';
import { restoreSale, type SavedSale, saveSale } from './saved.js';
import { Network, World } from './simulator/network.js';

const revoked: bigint[] = [];
const note = (message: unknown): void => void revoked.push((message as { reservation: bigint }).reservation);
beforeEach(() => {
  revoked.length = 0;
  subscribe('sluice:redis:revoked', note);
});
afterEach(async () => {
  unsubscribe('sluice:redis:revoked', note);
  await leaveSales();
  disconnect();
});
afterAll(endServers);

describe.each(servers)(
  'When $binary has lost the last changes of a sale, processes',
  ({ binary, missing }) => {
    let server: Server;
    beforeAll(async () => {
      if (!missing) server = await Server.start(binary as Binary);
    });

    /** A sale on a server that can go back, and processes that can be cut off from it. */
    async function scene() {
      const port: RedisPort = await connect(server.port);
      const world = new World(port);
      const sale = newSale();
      return {
        port,
        async join(): Promise<{ stock: RedisStock; network: Network }> {
          const network = new Network(world);
          const items = [{ sku: 7, quantity: 9 }];
          const stock = await openSale(0, {
            redis: network.port,
            sale,
            items,
            lease: false,
            timeoutMs: 20_000,
          });
          return { stock, network };
        },
        save: () => saveSale(port, 'test', sale),
        goBack: (saved: SavedSale) => world.away(() => restoreSale(port, 'test', sale, saved)),
      };
    }

    async function reserved(stock: RedisStock, holdMs = 60_000): Promise<bigint> {
      const answer = await stock.reserve({ sku: 7, quantity: 1, holdMs });
      if (!answer.ok) throw new Error(answer.reason);
      return answer.reservation;
    }

    /** An operation of a process shows it what the server has of its earlier ones. */
    async function speak(stock: RedisStock): Promise<void> {
      await stock.expire();
      await until('nothing is on its way', () => stock.stats().pending === 0);
    }

    it.skipIf(missing)('do not confirm a hold again that was over when they asked', async () => {
      const { join, save, goBack } = await scene();
      const { stock } = await join();
      const saved = await save();
      const reservation = await reserved(stock, 1);
      await until('the hold is over', async () => (await stock.find({ reservation }))?.state === 'expired');
      expect(await stock.confirm(reservation)).toBe('expired');
      await goBack(saved);
      await speak(stock);
      expect(await stock.counts(7)).toMatchObject({ sold: 0 });
      await until('it is over again', async () => (await stock.find({ reservation }))?.state === 'expired');
    });

    it.skipIf(missing)('take no more units off sale than they took', async () => {
      const { join, save, goBack } = await scene();
      const [one, other] = [await join(), await join()];
      for (let i = 0; i < 7; i++) await reserved(one.stock);
      const saved = await save();
      expect(await one.stock.withdraw(7, 5)).toBe(2);
      await goBack(saved);
      await other.stock.restock(7, 6);
      await speak(one.stock);
      expect(await one.stock.counts(7)).toMatchObject({ total: 13, available: 6, reserved: 7 });
    });

    it.skipIf(missing)(
      'confirm and cancel again what others had reserved, when these say it again',
      async () => {
        const { join, save, goBack } = await scene();
        const [one, other] = [await join(), await join()];
        const saved = await save();
        const [first, second] = [await reserved(one.stock), await reserved(one.stock)];
        expect(await other.stock.confirm(first)).toBe('confirmed');
        expect(await other.stock.cancel(second)).toBe('cancelled');
        await goBack(saved);
        await speak(other.stock);
        expect(await other.stock.find({ reservation: first })).toBeUndefined();
        await speak(one.stock);
        const stateOf = async (reservation: bigint) => (await one.stock.find({ reservation }))?.state;
        await until('it is confirmed', async () => (await stateOf(first)) === 'confirmed');
        await until('it is cancelled', async () => (await stateOf(second)) === 'cancelled');
        expect(revoked).toEqual([]);
        await one.stock.audit();
      },
    );

    it.skipIf(missing)('say which confirmations come too late', async () => {
      const { join, save, goBack } = await scene();
      const [one, other] = [await join(), await join()];
      const reservation = await reserved(one.stock);
      const saved = await save();
      expect(await one.stock.confirm(reservation)).toBe('confirmed');
      await goBack(saved);
      expect(await other.stock.cancel(reservation)).toBe('cancelled');
      await speak(one.stock);
      expect(revoked).toEqual([reservation]);
      expect(one.stock.stats().revoked).toBe(1);
    });

    it.skipIf(missing)('do nothing twice when a call of before comes late', async () => {
      const { port, join, save, goBack } = await scene();
      const { stock, network } = await join();
      const saved = await save();
      const calls: Array<Parameters<RedisPort['send']>> = [];
      const { send } = network.port;
      network.port.send = (...call) => {
        calls.push(call);
        return send.apply(network.port, call);
      };
      await stock.restock(7, 1);
      await stock.restock(7, 10);
      network.port.send = send;
      await goBack(saved);
      await speak(stock);
      expect(await stock.counts(7)).toMatchObject({ total: 20 });
      // The server has both in one batch. The call with the second restock has the number of the next batch.
      for (const call of calls) await port.send(...call);
      expect(calls.length).toBeGreaterThan(1);
      expect(await stock.counts(7)).toMatchObject({ total: 20 });
      expect(await reserved(stock)).toBeTypeOf('bigint');
    });

    it.skipIf(missing)('do not say again what they have said is lost', async () => {
      const { join, save, goBack } = await scene();
      const [one, other] = [await join(), await join()];
      const saved = await save();
      const reservation = await reserved(one.stock);
      await goBack(saved);
      for (let i = 0; i < 9; i++) await reserved(other.stock);
      await speak(one.stock);
      expect(revoked).toEqual([reservation]);
      await other.stock.close();
      await goBack(saved);
      await speak(one.stock);
      expect(await one.stock.find({ reservation })).toBeUndefined();
      expect(await one.stock.counts(7)).toMatchObject({ reserved: 0 });
    });
  },
);
