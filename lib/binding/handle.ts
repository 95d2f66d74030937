import { optionError } from '../input/index.js';

/** The name of a shared object, which a program passes to other threads: plain data that survives structured clone. */
export interface Handle<Kind extends string> {
  readonly sluice: Kind;
  readonly id: number;
  readonly token: bigint;
}

export interface NativeHandle {
  readonly id: number;
  readonly token: bigint;
}

/** Makes the public handle of an object of `kind`, which a program passes to other threads. */
export function publicHandle<Kind extends string>(kind: Kind, handle: NativeHandle): Handle<Kind> {
  return Object.freeze({ sluice: kind, id: handle.id, token: handle.token });
}

/**
 * Checks that `value` has the form of a handle of `kind`. Returns a copy for native code, which must not meet a getter
 * or a proxy.
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
