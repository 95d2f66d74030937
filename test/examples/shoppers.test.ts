import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Client, type HeardAnswer } from '../../examples/flash-sale/client.js';
import type { PlannedRequest } from '../../examples/flash-sale/scenario.js';
import { Shoppers } from '../../examples/flash-sale/shoppers.js';

const CONNECTIONS = 4;
const order = { id: 1, user: 1, sku: 1001, quantity: 1 };
const single = { together: false, requests: [{ kind: 'order', order } satisfies PlannedRequest] };

let closeAll = async () => {};

afterEach(() => closeAll());

/** Starts a server with this listener, and shoppers in front of it. */
async function shoppersAt(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new Client([`http://127.0.0.1:${(server.address() as AddressInfo).port}`], CONNECTIONS);
  closeAll = async () => {
    await client.destroy();
    server.closeAllConnections();
    server.close();
  };
  return new Shoppers(client, CONNECTIONS);
}

function answering(status: number, body: object, headers = {}): RequestListener {
  return (request, response) => {
    request.resume().on('end', () => response.writeHead(status, headers).end(JSON.stringify(body)));
  };
}

function whats(shoppers: Shoppers): string {
  return shoppers
    .findings()
    .problems.map(({ what }) => what)
    .join();
}

describe('the shoppers', () => {
  it('never have more requests in flight than connections, and use them all', async () => {
    let inFlight = 0;
    let most = 0;
    const slow = async (): Promise<HeardAnswer> => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      await new Promise(setImmediate);
      inFlight -= 1;
      return { status: 409, responseMs: 1, retryAfterMs: 0, body: {} };
    };
    const shoppers = new Shoppers({ order: slow, destroy: async () => {} }, CONNECTIONS);
    const double = { together: true, requests: [...single.requests, ...single.requests] };
    await shoppers.send(Array.from({ length: 200 }, (_, index) => (index % 3 ? single : double)));
    expect(shoppers.findings()).toMatchObject({
      answered: 267,
      unanswered: 0,
      byStatus: { 409: 267 },
      problems: [],
    });
    expect(most).toBe(CONNECTIONS);
  });

  it('have both clicks of a double click in flight together', async () => {
    const waiting: (() => void)[] = [];
    const shoppers = await shoppersAt((request, response) => {
      waiting.push(() => response.writeHead(409).end('{}'));
      // Both requests arrive before either is answered.
      request.resume().on('end', () => {
        if (waiting.length === 2) for (const answer of waiting) answer();
      });
    });
    await shoppers.send([{ together: true, requests: [...single.requests, ...single.requests] }]);
    expect(shoppers.findings()).toMatchObject({ answered: 2, problems: [] });
  });

  it('come back after Retry-After, not earlier', async () => {
    const times: number[] = [];
    const busy = answering(429, {}, { 'retry-after': '1' });
    const admitted = answering(202, { reservation: '5' });
    const shoppers = await shoppersAt((request, response) => {
      times.push(performance.now());
      (times.length === 1 ? busy : admitted)(request, response);
    });
    await shoppers.send([{ together: false, requests: [...single.requests, { kind: 'retry', order }] }]);
    const [first = 0, second = 0] = times;
    expect(second - first).toBeGreaterThanOrEqual(999);
    expect(shoppers.findings()).toMatchObject({
      byStatus: { 202: 1, 429: 1 },
      receipts: [{ id: 1, reservation: '5', sku: 1001, quantity: 1 }],
      problems: [],
    });
  });

  it('give up what is in flight when stopped, and say why and how much it was', async () => {
    const silent: RequestListener = () => shoppers.stop('too late');
    const shoppers = await shoppersAt(silent);
    await shoppers.send([single, single]);
    expect(shoppers.findings()).toMatchObject({
      answered: 0,
      unanswered: 2,
      stopped: 'too late',
      problems: [],
    });
  });

  it.each<[string, PlannedRequest, RequestListener, string]>([
    [
      'a server error',
      { kind: 'order', order },
      answering(500, {}),
      'order: expected 202 or 409 or 429 or 503',
    ],
    [
      'a 429 without Retry-After',
      { kind: 'order', order },
      answering(429, {}),
      'expected a Retry-After of whole seconds with 429',
    ],
    [
      'a Retry-After below a second',
      { kind: 'order', order },
      answering(503, {}, { 'retry-after': '0' }),
      'expected a Retry-After of whole seconds with 503',
    ],
    [
      'a fractional Retry-After',
      { kind: 'order', order },
      answering(429, {}, { 'retry-after': '1.5' }),
      'expected a Retry-After of whole seconds with 429',
    ],
    [
      'the wrong field',
      { kind: 'malformed', order, malformation: 0 },
      answering(400, { field: 'sku' }),
      'expected field body',
    ],
    [
      'a sale of what does not exist',
      { kind: 'unknown-item', order },
      answering(202, { reservation: '1' }),
      'unknown-item: expected 409',
    ],
    [
      'a 202 without reservation',
      { kind: 'order', order },
      answering(202, {}),
      'expected a reservation with 202',
    ],
  ])('notice %s', async (_, planned, listener, problem) => {
    const shoppers = await shoppersAt(listener);
    await shoppers.send([{ together: false, requests: [planned] }]);
    expect(whats(shoppers)).toContain(problem);
  });

  it('notice an order that was refused for good and is admitted all the same', async () => {
    let requests = 0;
    const shoppers = await shoppersAt((request, response) => {
      requests += 1;
      answering(requests === 1 ? 409 : 202, { reservation: '1' })(request, response);
    });
    await shoppers.send([{ together: false, requests: [...single.requests, { kind: 'retry', order }] }]);
    expect(whats(shoppers)).toContain('retry: expected 409 again');
  });

  it('notice a retry that gets another reservation, and a reused id that is admitted', async () => {
    let reservation = 0;
    const shoppers = await shoppersAt((request, response) => {
      reservation += 1;
      answering(202, { reservation: String(reservation) })(request, response);
    });
    await shoppers.send([
      {
        together: false,
        requests: [
          { kind: 'order', order },
          { kind: 'retry', order },
        ],
      },
      {
        together: false,
        requests: [
          { kind: 'order', order },
          { kind: 'reused-id', order: { ...order, quantity: 2 } },
        ],
      },
    ]);
    const problems = whats(shoppers);
    expect(problems).toContain('retry: expected the same reservation again');
    expect(problems).toContain('reused-id: expected id-mismatch');
  });
});
