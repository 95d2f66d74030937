import {
  Gate,
  type GateHandle,
  Limiter,
  ManualClock,
  oneOf,
  Queue,
  type QueueHandle,
  RecordType,
  record,
  SluiceError,
  Stock,
  u32,
} from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectEnded, run } from '../program.js';
import { expectError, rejected, thrown } from '../thrown.js';

const Row = record({ number: u32 });

describe('an error of sluice', () => {
  it('is a SluiceError with a code, also where it is a TypeError or a RangeError', () => {
    const type = thrown(() => Queue.create(Row, { capacity: mistyped('1') }));
    const range = thrown(() => Queue.create(Row, { capacity: 0 }));
    const state = thrown(() => {
      const queue = Queue.create(Row, { capacity: 1 });
      queue.close();
      queue.tryPush({ number: 1 });
    });
    for (const error of [type, range, state]) {
      expect(error).toBeInstanceOf(SluiceError);
      expect(error).toBeInstanceOf(Error);
      expect(error.code).toMatch(/^ERR_SLUICE_[A-Z]+$/);
      expect(error.stack).toContain(error.message);
    }
    expect([type.name, range.name, state.name]).toEqual(['TypeError', 'RangeError', 'SluiceError']);
    expect([type instanceof RangeError, range instanceof TypeError]).toEqual([false, false]);
  });

  it('is not an object that only looks like one', () => {
    const others = [
      new Error('x'),
      new TypeError('x'),
      Object.assign(new Error('x'), { code: 'ENOENT' }),
      Object.assign(new Error('x'), { code: 5 }),
      Object.assign(new Error('x'), { code: Object.create(null) }),
      Object.assign(new Error('x'), { code: ['ERR_SLUICE_OPTION'] }),
      { code: 'ERR_SLUICE_OPTION', message: 'x' },
      'ERR_SLUICE_OPTION',
      null,
      undefined,
    ];
    for (const other of others) expect(other instanceof SluiceError).toBe(false);
  });

  it('names what was expected and what was given, whatever was given', () => {
    const came: Array<[unknown, string]> = [
      [undefined, 'undefined'],
      [null, 'null'],
      [Number.NaN, 'NaN'],
      [5n, '5n'],
      ['five', '"five"'],
      [Symbol('five'), 'Symbol(five)'],
      [() => 5, 'a function'],
      [[5], 'an array of 1'],
      [{ five: 5 }, 'an instance of Object'],
      [Object.create(null), 'an instance of Object'],
      [new Map(), 'an instance of Map'],
      [new Uint8Array(5), 'a Uint8Array of 5 bytes'],
    ];
    for (const [value, shown] of came) {
      const error = thrown(() => Queue.create(Row, { capacity: mistyped(value) }));
      expect(error.message).toBe(
        `Queue.create: capacity: expected a whole number from 1 to 16777216, got ${shown}`,
      );
    }
  });
});

describe('the text of an error', () => {
  const long = 'x'.repeat(100_000);
  const queue = Queue.create(Row, { capacity: 1 });
  const nothing = async (): Promise<void> => {};
  const Long = record({ [long]: u32, choice: oneOf(long, 'short') });
  const choices = Queue.create(Long, { capacity: 1 });
  const Renamed = Object.defineProperty(class {}, 'name', { value: long });
  const errors: Array<[string, (given: never) => unknown, unknown]> = [
    ['an unknown option', (given) => Queue.create(Row, given), { capacity: 1, [long]: 1 }],
    ['an unknown nested option', (given) => Limiter.create(given), { queueDepth: { [long]: 1 } }],
    ['an unknown option of an adapter', (given) => fetchLimit(mistyped(nothing), given), { [long]: 1 }],
    ['a long string', (given) => Queue.create(Row, { capacity: given }), long],
    ['a long symbol', (given) => Queue.create(Row, { capacity: given }), Symbol(long)],
    ['an instance of a long name', (given) => Queue.create(Row, { capacity: given }), new Renamed()],
    ['JSON with a constructor', (given) => queue.tryPush({ number: given }), { constructor: { name: long } }],
    [
      'a constructor whose name is made',
      (given) => queue.tryPush({ number: given }),
      { constructor: { name: { toString: () => long } } },
    ],
    ['a value in a list', (given) => queue.tryPushMany([{ number: given }]), Symbol(long)],
    ['a field of a long name', (given) => choices.tryPush(mistyped({ [long]: given, choice: 'short' })), -1],
    [
      'a choice beside long ones',
      (given) => choices.tryPush(mistyped({ [long]: 1, choice: given })),
      `${long}!`,
    ],
    ['no field, of a long name', (given) => record({ [long]: given }), 5],
    ['a field name of a gate', (given) => gateOf({ sku: given, quantity: given }), long],
    [
      'a field name that is an object',
      (given) => gateOf({ sku: given, quantity: given }),
      Object.create(null),
    ],
    ['the handle of something long', (given) => Limiter.attach(given), { sluice: long, id: 1, token: 1n }],
    ['a long sku', (given) => Stock.create({ items: [{ sku: given, quantity: 1 }] }), long],
    [
      'a reservation of many digits',
      (given) => Stock.create({ items: [] }).confirm(given),
      '9'.repeat(100_000),
    ],
    ['a key of many digits', (given) => Limiter.create(Limiter.flashSale).allow(given), 10n ** 10_000n],
    ['an event', (given) => queue.on(given, () => {}), long],
  ];
  function gateOf(fields: object): unknown {
    const stock = Stock.create({ items: [{ sku: 1, quantity: 1 }] });
    return Gate.create(mistyped({ queue: Queue.create(Row, { capacity: 1 }), stock, fields }));
  }

  it.each(errors)('is short whatever was given: %s', (_, act, given) => {
    const error = thrown(() => act(mistyped(given)));
    expectError(error, error.code as string);
    expect(error.code).toMatch(/OPTION|FIELD/);
    expect(error.message.length).toBeLessThan(400);
    expect((error.option ?? '').length).toBeLessThan(400);
  });
});

describe('a constructor', () => {
  const constructors: Array<[string, object, string]> = [
    ['Queue', Queue, 'Queue.create() or Queue.attach()'],
    ['Limiter', Limiter, 'Limiter.create() or Limiter.attach()'],
    ['Stock', Stock, 'Stock.create(), Stock.restore() or Stock.attach()'],
    ['Gate', Gate, 'Gate.create() or Gate.attach()'],
    ['RecordType', RecordType, 'record()'],
  ];

  it.each(constructors)('does not make a %s, and its error names what does', (name, made, instead) => {
    const forms = [[], [{}], [Row], [Row, { capacity: 1 }], [{ items: [] }], [{ x: { ...u32 } }]];
    for (const values of forms) {
      const error = thrown(() => Reflect.construct(made as new () => object, values));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toBe(`new ${name}(): use ${instead}`);
    }
  });

  it('of a hold, a permit or a batcher throws an error that names what makes them', async () => {
    const queue = Queue.create(Row, { capacity: 4 });
    const gate = Gate.create({ queue });
    gate.admit({ number: 1 });
    const [permit, batcher] = [queue.tryReserve(1), queue.batcher()];
    permit?.[Symbol.dispose](); // an open permit would keep the queue from ending
    let hold: object | undefined;
    queue.close();
    await gate.consume((_, given) => {
      hold = given;
    });
    const made: Array<[object | undefined, string]> = [
      [permit, 'new Permit(): use reserve() or tryReserve() of a queue'],
      [batcher, 'new Batcher(): use batcher() of a queue'],
      [hold, 'new Hold(): use the hold that a handler is given'],
    ];
    for (const [object, message] of made) {
      const error = thrown(() => Reflect.construct(object?.constructor as new () => object, []));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toBe(message);
    }
  });
});

describe('an error about a value that cannot be shown', () => {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const hostile: Array<[string, unknown]> = [
    ['a revoked proxy', revoked.proxy],
    [
      'a constructor that throws',
      {
        get constructor() {
          throw new Error('mine');
        },
      },
    ],
    ['a constructor of no name', { constructor: { name: Symbol('no name') } }],
  ];

  it.each(hostile)('is about the option, or the field: %s', (_, value) => {
    expectError(
      thrown(() => Queue.create(Row, { capacity: mistyped(value) })),
      'ERR_SLUICE_OPTION',
      TypeError,
    );
    const queue = Queue.create(Row, { capacity: 1 });
    expectError(
      thrown(() => queue.tryPush({ number: mistyped(value) })),
      'ERR_SLUICE_FIELD',
      TypeError,
    );
  });
});

describe('an object that only looks like one of sluice', () => {
  const queue = Queue.create(Row, { capacity: 1 });
  const limiter = Limiter.create(Limiter.flashSale);
  const stock = Stock.create({ items: [] });
  const clock = new ManualClock();
  const bucket = { tokenBucket: { ratePerSecond: 1, burst: 1 } };
  const takers: Array<[string, object, (fake: never) => unknown]> = [
    ['the record of Queue.create', Row, (fake) => Queue.create(fake, { capacity: 1 })],
    ['the record of Queue.attach', Row, (fake) => Queue.attach(fake, queue.handle)],
    ['the clock of Queue.create', clock, (fake) => Queue.create(Row, { capacity: 1, clock: fake })],
    ['the clock of Limiter.create', clock, (fake) => Limiter.create({ ...bucket, clock: fake })],
    ['the queue of Limiter.create', queue, (fake) => Limiter.create({ queueDepth: { max: 1, queue: fake } })],
    ['the queue of Gate.create', queue, (fake) => Gate.create({ queue: fake })],
    ['the limiter of Gate.create', limiter, (fake) => Gate.create({ queue, limiter: fake })],
    ['the stock of Gate.create', stock, (fake) => Gate.create({ queue, stock: fake })],
    ['the limiter of fetchLimit', limiter, (fake) => fetchLimit(() => new Response(), { limiter: fake })],
    ['the snapshot of Stock.restore', stock.snapshot(), (fake) => Stock.restore(fake)],
  ];

  it.each(takers)('is refused as %s', (_, real, act) => {
    for (const fake of [Object.create(Object.getPrototypeOf(real)), new Proxy(real, {})]) {
      expectError(
        thrown(() => act(mistyped(fake))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
    }
  });

  it('is refused as a signal', async () => {
    const signal = Object.create(AbortSignal.prototype);
    expectError(await rejected(limiter.acquire({ signal })), 'ERR_SLUICE_OPTION', TypeError);
    expectError(await rejected(queue.push({ number: 1 }, { signal })), 'ERR_SLUICE_OPTION', TypeError);
  });
});

describe('a handle', () => {
  const attach: Array<[string, (handle: never) => unknown]> = [
    ['queue', (handle) => Queue.attach(Row, handle)],
    ['limiter', (handle) => Limiter.attach(handle)],
    ['stock', (handle) => Stock.attach(handle)],
    ['gate', (handle) => Gate.attach(Row, handle)],
    ['clock', (handle) => ManualClock.attach(handle)],
  ];
  const queue = Queue.create(Row, { capacity: 1 });
  const real: Record<string, QueueHandle | GateHandle | object> = {
    queue: queue.handle,
    limiter: Limiter.create(Limiter.flashSale).handle,
    stock: Stock.create({ items: [{ sku: 1, quantity: 1 }] }).handle,
    gate: Gate.create({ queue }).handle,
    clock: new ManualClock().handle,
  };

  it.each(attach)('of a %s is frozen, and plain enough for structured clone', (kind) => {
    const handle = real[kind] as object;
    expect(Object.isFrozen(handle)).toBe(true);
    expect(structuredClone(handle)).toEqual(handle);
    expect(handle).toMatchObject({ sluice: kind });
  });

  it.each(attach)('of a %s is refused by its form if it is not one', (kind, act) => {
    const { id, token } = real[kind] as QueueHandle;
    const forms = [
      undefined,
      null,
      5,
      'handle',
      {},
      [],
      { sluice: kind },
      { sluice: kind, id },
      { sluice: kind, id, token: Number(token) },
      { sluice: kind, id: `${id}`, token },
      { sluice: Symbol(kind), id, token },
      { sluice: Object.create(null), id, token },
      JSON.parse(JSON.stringify({ sluice: kind, id })),
    ];
    for (const form of forms)
      expectError(
        thrown(() => act(mistyped(form))),
        'ERR_SLUICE_OPTION',
        TypeError,
      );
  });

  it.each(attach)('of another kind is not taken for that of a %s', (kind, act) => {
    for (const [other, handle] of Object.entries(real)) {
      if (other === kind) continue;
      const error = thrown(() => act(mistyped(handle)));
      expectError(error, 'ERR_SLUICE_OPTION', TypeError);
      expect(error.message).toContain(`the handle of a ${other}`);
      // A handle that names the wrong kind is refused, too.
      expectError(
        thrown(() => act(mistyped({ ...handle, sluice: kind }))),
        'ERR_SLUICE_HANDLE',
      );
    }
  });

  it.each(attach)('of a %s that names no object is dead', (kind, act) => {
    const { id, token } = real[kind] as QueueHandle;
    const ids = [0, -1, -0, 0.5, id + 1e6, 2 ** 53, 2 ** 60, 2 ** 64, 1e300, Number.NaN, Infinity, -Infinity];
    for (const other of ids)
      expectError(
        thrown(() => act(mistyped({ sluice: kind, id: other, token }))),
        'ERR_SLUICE_HANDLE',
      );
    for (const other of [token + 1n, 0n, -1n, -token, token ^ 1n]) {
      expectError(
        thrown(() => act(mistyped({ sluice: kind, id, token: other }))),
        'ERR_SLUICE_HANDLE',
      );
    }
  });

  it.each(attach)('of a %s that throws when it is read passes its error on', (kind, act) => {
    const failure = new Error('not today');
    for (const good of [1, 2, 3]) {
      let reads = 0;
      const { id, token } = real[kind] as QueueHandle;
      const hostile = {
        sluice: kind,
        token,
        get id(): number {
          if (++reads > good) throw failure;
          return id;
        },
      };
      // The library may read the id as often as it likes. It attaches, or throws this error, and never crashes.
      try {
        act(mistyped(hostile));
        expect(reads).toBeLessThanOrEqual(good);
      } catch (error) {
        expect(error).toBe(failure);
      }
    }
  });

  it('of another process is dead here', async () => {
    expectEnded(await run(new URL('./programs/foreign-handle.js', import.meta.url)), 0);
  });
});

describe('file descriptors that the process does not have', () => {
  // On other systems sluice needs no file descriptors.
  it.runIf(process.platform === 'linux')('fail the waits of that moment, not later ones', async () => {
    expectEnded(await run(new URL('./programs/no-descriptors.js', import.meta.url)), 0);
  });
});

describe('memory that the system does not have', () => {
  // Only on Linux can this test bound the address space of a process.
  it.runIf(process.platform === 'linux')('is an error, not a crash', async () => {
    expectEnded(await run(new URL('./programs/no-memory.js', import.meta.url)), 0);
  });

  it.runIf(process.platform === 'linux')(
    'is an error of the call that needs it; existing objects go on',
    async () => {
      const program = new URL('./programs/full-address-space.js', import.meta.url);
      expectEnded(await run(program, [], { patienceMs: 170_000 }), 0);
    },
    180_000, // takes seconds where nothing else runs
  );
});
