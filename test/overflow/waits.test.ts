import { getEventListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { EntryCodec, reservationIn } from '../../dist/overflow/entry.js';
import { Waits } from '../../dist/overflow/waits.js';
import { record, u53 } from '../../dist/record/index.js';

describe('A wait for something that happens in this thread', () => {
  it('looks at once, and again at each wake, and then listens to its signal no more', async () => {
    const waits = new Waits();
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, 'removeEventListener');
    let looks = 0;
    const until = waits.until(() => ++looks === 3, signal);
    for (let wake = 1; wake < 3; wake++) {
      expect(looks).toBe(wake);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      waits.wake();
      await new Promise(setImmediate);
    }
    await until;
    const { length } = remove.mock.calls;
    waits.wake();
    expect(remove.mock.calls).toHaveLength(length); // it is forgotten
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects with the reason of its signal, before and while it waits', async () => {
    const waits = new Waits();
    await expect(waits.until(() => true, AbortSignal.abort('before'))).rejects.toBe('before');
    const stop = new AbortController();
    const until = expect(waits.until(() => false, stop.signal)).rejects.toBe('while');
    stop.abort('while');
    await until;
  });

  it('rejects with what its look throws', async () => {
    const look = (): boolean => {
      throw new RangeError('it has ended');
    };
    await expect(new Waits().until(look, undefined)).rejects.toThrow(RangeError);
  });
});

describe('An entry of a store', () => {
  const Row = record({ id: u53 });
  const aside = new Uint8Array(32).fill(255);

  it('of a record that came through no gate has nothing of another entry', () => {
    const codec = new EntryCodec(Row);
    const ordered = codec.encode({ id: 1 }, aside);
    expect(codec.decode(ordered)).toMatchObject({ record: { id: 1 }, order: { isOfThisProcess: true } });
    expect(codec.decode(codec.encode({ id: 2 }, undefined))).toEqual({ record: { id: 2 }, order: undefined });
  });

  it('knows which process has written it, and has no reservation without a stock', () => {
    const ordered = new EntryCodec(Row).encode({ id: 1 }, aside);
    expect(new EntryCodec(Row).decode(ordered)?.order?.isOfThisProcess).toBe(false);
    expect(reservationIn(aside)).toBeUndefined();
    expect(reservationIn(new Uint8Array(32).fill(1, 0, 1))).toBe(1n);
  });

  it('is the bytes of a record, or none', () => {
    const codec = new EntryCodec(Row);
    const entry = codec.encode({ id: 1 }, undefined);
    expect(codec.decode(entry.fill(255, 0, Row.bytes))).toBeUndefined();
  });
});
