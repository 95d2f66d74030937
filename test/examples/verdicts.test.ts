import { describe, expect, it } from 'vitest';
import { allHold, judge } from '../../examples/flash-sale/verdicts.js';

type Books = Parameters<typeof judge>[0];
type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [K in keyof T]: Mutable<T[K]> }
    : T;

/**
 * Returns sound books of a sale of three units: two orders are paid, and one in between is declined and its unit sold
 * again.
 */
function soundBooks(): Mutable<Books> {
  const orders = [
    { id: 1, quantity: 2, paid: true },
    { id: 2, quantity: 1, paid: false },
    { id: 3, quantity: 1, paid: true },
  ].map((order) => ({ ...order, user: 40 + order.id, sku: 7, reservation: String(100 + order.id) }));
  return {
    offered: [{ sku: 7, quantity: 3 }],
    admitted: orders.map(({ paid: _, ...order }) => ({ ...order, admittedBy: order.id * 10 })),
    handled: orders.map((order) => ({
      ...order,
      result: order.paid ? 'confirmed' : 'cancelled',
      admittedAt: order.id * 10 - 1,
      takenAt: order.id * 10 + 1,
      decidedAt: order.id * 10 + 2,
    })),
    receipts: orders.map(({ paid: _, user: __, ...order }) => order),
    crew: undefined,
    stream: undefined,
    receiptsComplete: true,
    ledger: [{ sku: 7, reserved: 0, sold: 3 }],
    auditError: undefined,
  };
}

/** Changes sound books, and returns the verdicts that then do not hold, each with its reason. */
function broken(change: (books: Mutable<Books>) => void): Record<string, string> {
  const books = soundBooks();
  change(books);
  const verdicts = judge(books);
  const failed = Object.entries(verdicts).filter(([, { holds }]) => !holds);
  expect(allHold(verdicts)).toBe(failed.length === 0);
  return Object.fromEntries(failed.map(([name, { detail }]) => [name, detail]));
}

function at<Item>(list: Item[], index: number): Item {
  const item = list[index];
  if (item === undefined) throw new RangeError(`nothing at ${index}`);
  return item;
}

describe('the verdicts', () => {
  it('all hold over sound books, and over empty ones', () => {
    expect(broken(() => {})).toEqual({});
    expect(
      broken((books) => {
        books.admitted = [];
        books.handled = [];
        books.receipts = [];
        books.ledger = [{ sku: 7, reserved: 0, sold: 0 }];
      }),
    ).toEqual({});
  });

  it('see more sold than offered', () => {
    expect(broken((books) => (at(books.offered, 0).quantity = 2))).toEqual({
      nothingOversold: expect.stringContaining('item 7: 3 units sold of 2'),
    });
  });

  it('see more promised to clients than offered, even when the cashier sold less', () => {
    const found = broken((books) => {
      books.receipts.push({ id: 4, reservation: '104', sku: 7, quantity: 1 });
    });
    expect(found['nothingOversold']).toContain('clients hold promises of 4 units of 3');
  });

  it('see a unit that was promised twice for a moment', () => {
    const found = broken((books) => (at(books.handled, 1).decidedAt = 31));
    expect(found).toEqual({ nothingOversold: 'item 7: 4 units were promised at one time, of 3' });
  });

  it('see a ledger that disagrees with the cashier', () => {
    expect(broken((books) => (at(books.ledger, 0).sold = 2))).toEqual({
      nothingOversold: 'item 7: the cashier sold 3 units, the ledger says 2',
    });
  });

  it('see the sale of an item that was not on offer', () => {
    const found = broken((books) => {
      for (const book of [books.admitted, books.handled, books.receipts])
        at<{ sku: number }>(book, 2).sku = 8;
      at(books.ledger, 0).sold = 2;
    });
    expect(found['nothingOversold']).toContain('order 3 is for item 8, which is not on offer');
  });

  it('see an order resolved twice', () => {
    const found = broken((books) => {
      books.handled.push(at(books.handled, 1));
    });
    expect(found['resolvedExactlyOnce']).toBe('reservation 102 was resolved twice');
  });

  it('see an order that was never resolved', () => {
    const found = broken((books) => {
      books.handled.pop();
      at(books.ledger, 0).sold = 2;
    });
    expect(found['resolvedExactlyOnce']).toBe('reservation 103 was never resolved');
  });

  it('see an order resolved without having been admitted', () => {
    const found = broken((books) => {
      books.admitted.pop();
      books.receipts.pop();
    });
    expect(found['resolvedExactlyOnce']).toBe('order 3 was handled, but not admitted with reservation 103');
  });

  it('see a hold that expired before the cashier decided', () => {
    const found = broken((books) => {
      at(books.handled, 2).result = 'expired';
      at(books.ledger, 0).sold = 2;
    });
    expect(found).toEqual({ resolvedExactlyOnce: 'reservation 103 should be confirmed, but is expired' });
  });

  it('see one reservation given to two orders', () => {
    const found = broken((books) => {
      for (const book of [books.admitted, books.handled, books.receipts])
        at<{ reservation: string }>(book, 2).reservation = '101';
    });
    expect(found['resolvedExactlyOnce']).toContain('1 reservations were given twice');
  });

  it('see units that stay reserved after the last order', () => {
    expect(broken((books) => (at(books.ledger, 0).reserved = 1))).toEqual({
      resolvedExactlyOnce: 'item 7: the ledger still holds 1 units',
    });
  });

  it("see a client that was promised another order's reservation", () => {
    expect(broken((books) => (at(books.receipts, 1).quantity = 2))).toEqual({
      resolvedExactlyOnce: "the client of order 2 was promised reservation 102, which is not that order's",
    });
  });

  it('see an admitted order whose client was told nothing, unless clients are strangers', () => {
    const untold = (books: Mutable<Books>) => {
      books.receipts.shift();
    };
    expect(broken(untold)).toEqual({ resolvedExactlyOnce: '3 orders were admitted, but clients heard of 2' });
    expect(
      broken((books) => {
        untold(books);
        books.receiptsComplete = false;
      }),
    ).toEqual({});
  });

  it('see orders processed in another order than they were admitted', () => {
    expect(
      broken((books) => {
        books.handled.reverse();
        books.handled.push(at(books.handled.splice(1, 1), 0));
      }),
    ).toEqual({ processedInOrder: 'place 1: admitted 101, processed 103' });
  });

  it('see an audit that failed', () => {
    expect(broken((books) => (books.auditError = 'ERR_SLUICE_AUDIT'))).toEqual({
      auditPassed: 'ERR_SLUICE_AUDIT',
    });
  });

  describe('over the books of a stream', () => {
    /** Books of which the last order went through the stream, before the second was decided. */
    function withStream(
      change: (stream: NonNullable<Mutable<Books>['stream']>) => void,
    ): Record<string, string> {
      return broken((books) => {
        const counts = { left: 0, deadLetters: 0, again: 0, kills: 0 };
        const stream = { admitted: [at(books.admitted, 2)], handled: [at(books.handled, 2)], ...counts };
        books.handled = [at(books.handled, 2), at(books.handled, 0), at(books.handled, 1)];
        books.stream = stream;
        change(stream);
      });
    }

    it('compare the order of processing without the orders of the stream', () => {
      expect(withStream(() => {})).toEqual({});
    });

    it.each([
      [{ handled: [] }, '1 of 1 orders were stored and never decided, and 1 more'],
      [{ left: 1 }, '1 orders are left in the stream'],
      [{ deadLetters: 1 }, '1 orders are dead letters'],
    ])('find what was lost: %j', (wrong, detail) => {
      expect(withStream((stream) => Object.assign(stream, wrong))).toEqual({ noneLostInStream: detail });
    });
  });

  describe('over the books of a crew', () => {
    const crew = {
      workers: 2,
      concurrency: 4,
      deaths: 1,
      handled: 3,
      deadLettered: 0,
      again: 4,
      unwitnessed: 4,
    };

    it('compare the order of processing user by user', () => {
      const reversed = (books: Mutable<Books>) => {
        books.crew = crew;
        books.handled.reverse();
      };
      expect(broken(reversed)).toEqual({});
      const found = broken((books) => {
        reversed(books);
        for (const order of [...books.admitted, ...books.handled]) order.user = 7;
      });
      expect(found).toEqual({ processedInOrder: 'user 7, place 1: admitted 101, processed 103' });
    });

    it.each([
      [{ handled: 2 }, '3 orders were admitted, the crew handled or buried 2'],
      [{ deadLettered: 1 }, '3 orders were admitted, the crew handled or buried 4'],
      [{ again: 5 }, '5 orders were handed out again, more than 1 deaths explain'],
      [{ unwitnessed: 5 }, '5 orders were decided and not written down, more than 1 deaths explain'],
    ])('see what workers lost or did too often: %j', (wrong, detail) => {
      expect(broken((books) => (books.crew = { ...crew, ...wrong }))).toEqual({
        noneLostWithWorkers: detail,
      });
    });

    it('see an order that the cashiers did not write down', () => {
      const found = broken((books) => {
        books.crew = crew;
        books.handled.pop();
        at(books.ledger, 0).sold = 2;
      });
      expect(found['noneLostWithWorkers']).toBe('3 orders were admitted, the cashiers wrote down 2');
    });
  });
});
