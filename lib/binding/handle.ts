import { optionError } from '../input/index.js';

/** What crosses to another thread: plain data that survives structured clone. */
export interface Handle<Kind extends string> {
  readonly sluice: Kind;
  readonly id: number;
  readonly token: bigint;
}

export interface NativeHandle {
  readonly id: number;
  readonly token: bigint;
}

/** The handle of an object of `kind` as it crosses threads. */
export function publicHandle<Kind extends string>(kind: Kind, handle: NativeHandle): Handle<Kind> {
  return Object.freeze({ sluice: kind, id: handle.id, token: handle.token });
}

/**
 * Checks that `value` is a handle of `kind`, as far as its form goes. Its copy is for native code, which must not come
 * upon a getter or a proxy.
 */
export function checkedHandle<Kind extends string>(where: string, kind: Kind, value: unknown): NativeHandle {
  const isObject = typeof value === 'object' && value !== null;
  const { sluice: named, id, token } = (isObject ? value : {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'number' || typeof token !== 'bigint') {
    throw optionError(`${where}: handle`, `the handle of a ${kind}`, value, true);
  }
  if (named !== kind) {
    const received = typeof named === 'string' ? `the handle of a ${named}` : value;
    throw optionError(`${where}: handle`, `the handle of a ${kind}`, received, true);
  }
  return { id, token };
}
