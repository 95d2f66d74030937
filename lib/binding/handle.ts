import { adviceError, optionError } from '../input/index.js';

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
  const given = (isObject ? value : {}) as Readonly<Record<string, unknown>>;
  const { sluice: named, id, token } = given;
  const [option, expected] = [`${where}: handle`, `the handle of a ${kind}`];
  if (typeof id !== 'number' || typeof token !== 'bigint') {
    const own = kindOf(given);
    if (own === kind) throw adviceError(option, expected, `got the ${kind} itself: pass ${kind}.handle`);
    if (own !== undefined)
      throw adviceError(
        option,
        expected,
        `got a ${own} itself: use ${kinds.get(own)}.attach with its handle`,
      );
    if (isObject && !Array.isArray(value) && Object.keys(value).length === 0)
      throw adviceError(
        option,
        expected,
        `got an empty object: was a ${kind} sent in place of ${kind}.handle?`,
      );
    throw optionError(option, expected, value, true);
  }
  if (named !== kind) {
    const isKnown = typeof named === 'string' && kinds.has(named);
    if (!isKnown) throw optionError(option, expected, value, true);
    throw adviceError(option, expected, `got the handle of a ${named}: use ${kinds.get(named)}.attach`);
  }
  return { id, token };
}

/** The classes that have handles, by the kinds of these. */
const kinds: ReadonlyMap<string, string> = new Map([
  ['queue', 'Queue'],
  ['limiter', 'Limiter'],
  ['stock', 'Stock'],
  ['gate', 'Gate'],
  ['clock', 'ManualClock'],
]);

/** Returns the kind of an object that a program passed in place of a handle; undefined if it is none of sluice's. */
function kindOf({ handle }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof handle !== 'object' || handle === null) return undefined;
  const { sluice: kind } = handle as { readonly sluice?: unknown };
  return typeof kind === 'string' && kinds.has(kind) ? kind : undefined;
}
