/**
 * Memory that JavaScript shares with native code, and the built-ins that lead to it, as they were when sluice was
 * loaded. A program that replaces `ArrayBuffer`, `WeakRef` or a member of `Buffer.prototype` later never receives such
 * memory, nor a native object. No code outside of lib/ can reach these classes or their instances.
 */
import { Buffer } from 'node:buffer';
import * as types from 'node:util/types';
import { SluiceError } from '../input/index.js';
import '../symbols.js';

type Class = abstract new (...given: never[]) => object;

/** Gives `Safe` the members of `Base` as its own, and no prototype: it inherits nothing that a program can replace. */
function seal(Safe: Class, Base: Class): void {
  const own: object = Safe.prototype;
  for (let from: object | null = Base.prototype; from !== null; from = Object.getPrototypeOf(from)) {
    for (const name of Reflect.ownKeys(from)) {
      if (Object.hasOwn(own, name)) continue;
      Object.defineProperty(own, name, Object.getOwnPropertyDescriptor(from, name) as PropertyDescriptor);
    }
  }
  Object.setPrototypeOf(own, null);
  Object.freeze(own);
  Object.freeze(Safe);
}

/**
 * Memory that native code reads and writes. Native code trusts its contents, so no code outside of lib/ may reach it.
 */
export class Memory extends ArrayBuffer {
  constructor(bytes: number) {
    try {
      super(bytes);
    } catch {
      throw new SluiceError('ERR_SLUICE_MEMORY', `no memory for a buffer of ${bytes} bytes`);
    }
  }
}

/** The bytes of a `Memory`, with the methods of a Buffer that turn text into bytes and back. */
export class Octets extends Uint8Array {
  constructor(memory: ArrayBuffer) {
    super(memory);
  }

  /** Writes at most `length` bytes of UTF-8 at `offset`, whole characters only. Returns how many. */
  declare utf8Write: (text: string, offset: number, length: number) => number;
  declare utf8Slice: (start: number, end: number) => string;
}

export class View extends (DataView as new (memory: ArrayBuffer) => DataView) {
  constructor(memory: ArrayBuffer) {
    super(memory);
  }
}

export class Weak<T extends object> extends WeakRef<T> {
  constructor(target: T) {
    super(target);
  }
}

export class Finalizer<T> extends FinalizationRegistry<T> {
  constructor(cleanUp: (held: T) => void) {
    super(cleanUp);
  }
}

/** The set of objects that have a mark. */
export class Marks extends (WeakSet as new () => WeakSet<object>) {}

for (const name of ['utf8Write', 'utf8Slice'] as const) {
  const method = Object.getOwnPropertyDescriptor(Buffer.prototype, name) as PropertyDescriptor;
  Object.defineProperty(Octets.prototype, name, method);
}
seal(Memory, ArrayBuffer);
seal(Octets, Uint8Array);
seal(View, DataView);
seal(Weak, WeakRef);
seal(Finalizer, FinalizationRegistry);
seal(Marks, WeakSet);

/** Typed arrays over a `Memory`. Use nothing but their elements: a program can replace their methods. */
export const arrays: {
  readonly Uint8Array: Uint8ArrayConstructor;
  readonly Uint16Array: Uint16ArrayConstructor;
  readonly Uint32Array: Uint32ArrayConstructor;
  readonly Int8Array: Int8ArrayConstructor;
  readonly Int16Array: Int16ArrayConstructor;
  readonly Int32Array: Int32ArrayConstructor;
  readonly BigUint64Array: BigUint64ArrayConstructor;
  readonly BigInt64Array: BigInt64ArrayConstructor;
  readonly Float32Array: Float32ArrayConstructor;
  readonly Float64Array: Float64ArrayConstructor;
} = Object.freeze({
  Uint8Array,
  Uint16Array,
  Uint32Array,
  Int8Array,
  Int16Array,
  Int32Array,
  BigUint64Array,
  BigInt64Array,
  Float32Array,
  Float64Array,
});

/**
 * The function as it was when sluice was loaded: syncBuiltinESMExports() changes functions that were imported before.
 */
export const isUint8Array: typeof types.isUint8Array = types.isUint8Array;

const PlainBuffer = ArrayBuffer;

/** Returns a buffer for the program, which native code does not keep; undefined if there is no memory for it. */
export function newBuffer(octets: number): ArrayBuffer | undefined {
  try {
    return new PlainBuffer(octets);
  } catch {
    return undefined;
  }
}

/** Returns a copy of the `length` bytes of `memory` that begin at `start`. */
export function copied(memory: ArrayBuffer, start: number, length: number): Uint8Array {
  return new arrays.Uint8Array(new arrays.Uint8Array(memory, start, length));
}

const maker: unique symbol = Symbol('sluice');
/** The token that lib/ gives its own constructors. Other code does not have it, so it cannot call them. */
export type Maker = typeof maker;
export function isMaker(by: unknown): by is Maker {
  return by === maker;
}
export { maker };
