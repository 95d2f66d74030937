// Replaces the functions that tell types apart, for all modules that have imported them.
import { syncBuiltinESMExports } from 'node:module';
import types from 'node:util/types';
import { bytes, Queue, record, Stock } from 'sluice';
import { expect, it } from 'vitest';
import { expectError, thrown } from '../thrown.js';

it.each([true, false])(
  'a Uint8Array is recognized as when sluice was loaded, even if the replaced function returns %s',
  (answer) => {
    const queue = Queue.create(record({ octets: bytes(4) }), { capacity: 4 });
    const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
    const snapshot = stock.snapshot();
    const none = {} as Uint8Array;
    const errors: Array<ReturnType<typeof thrown>> = [];
    const { isUint8Array } = types;
    types.isUint8Array = (_): _ is Uint8Array<ArrayBufferLike> => answer;
    syncBuiltinESMExports();
    try {
      errors.push(thrown(() => Stock.restore(none)));
      errors.push(thrown(() => queue.tryPush({ octets: none })));
      queue.tryPush({ octets: Uint8Array.of(1, 2) });
      Stock.restore(snapshot)[Symbol.dispose]();
    } finally {
      types.isUint8Array = isUint8Array;
      syncBuiltinESMExports();
    }
    const [restored, pushed] = errors;
    if (restored !== undefined) expectError(restored, 'ERR_SLUICE_OPTION');
    if (pushed !== undefined) expectError(pushed, 'ERR_SLUICE_FIELD');
    expect(errors).toHaveLength(2);
    expect(queue.tryPop()).toEqual({ octets: Uint8Array.of(1, 2) });
  },
);
