import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Gate, Queue, Stock } from 'sluice';
import { describe, expect, it } from 'vitest';
import { fields, Order, order } from './order.js';

function open(quantity = 10) {
  const stock = Stock.create({ items: [{ sku: 1, quantity }] });
  return { stock, gate: Gate.create({ queue: Queue.create(Order, { capacity: 10 }), stock, fields }) };
}

describe('an admission in JSON', () => {
  it('goes over HTTP, and its reservation comes back to confirm the order', async () => {
    const { gate, stock } = open();
    const server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
      const given = searchParams.get('reservation') ?? '';
      const answer = pathname === '/admit' ? gate.admit(order(1)) : { resolution: stock.confirm(given) };
      response.end(JSON.stringify(answer));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ask = async (path: string): Promise<Record<string, unknown>> => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`);
      return (await response.json()) as Record<string, unknown>;
    };
    const admitted = await ask('/admit');
    expect(admitted).toMatchObject({
      outcome: 'admitted',
      reservation: expect.any(String),
      duplicate: false,
    });
    expect(await ask(`/confirm?reservation=${admitted['reservation']}`)).toEqual({ resolution: 'confirmed' });
    expect(await ask('/admit')).toMatchObject({ reservation: admitted['reservation'], duplicate: true });
    expect(stock.counts(1).sold).toBe(1);
    server.closeAllConnections();
    server.close();
  });

  it('is, but for its toJSON, a plain object', () => {
    const { gate } = open();
    const answer = gate.admit(order(1));
    expect(answer).toStrictEqual({ ...answer });
    expect(structuredClone(answer)).toStrictEqual(answer);
    expect(Object.keys(answer)).not.toContain('toJSON');
  });

  it('of a refusal is the refusal', () => {
    const { gate } = open(0);
    expect(JSON.stringify(gate.admit(order(1)))).toBe('{"outcome":"sold-out"}');
  });
});

describe('a hold in JSON', () => {
  it('has its reservation as a decimal string, if it has one', async () => {
    const { gate, stock } = open();
    const admitted = gate.admit(order(1));
    gate.queue.tryPush(order(2)); // past the gate
    gate.queue.close();
    const told: unknown[] = [];
    await gate.consume((_, hold) => {
      told.push(JSON.parse(JSON.stringify(hold)));
    });
    const { reservation } = admitted as { reservation: bigint };
    expect(told).toEqual([{ reservation: String(reservation), deliveries: 1 }, { deliveries: 1 }]);
    expect(stock.confirm(String(reservation))).toBe('already-confirmed');
  });
});
