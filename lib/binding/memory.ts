/**
 * Memory that JavaScript shares with native code, and the built-ins that lib/ uses for it, as they were when sluice was
 * loaded. If a program later replaces `ArrayBuffer`, `WeakRef` or a member of `Buffer.prototype`, its replacement is
 * given neither such memory nor a native object. Code outside of lib/ can reach neither these classes nor their
 * instances.
 */
import { Buffer } from 'node:buffer';
import { isUint8Array as isOriginal } from 'node:util/types';
import { SluiceError } from '../input/index.js';
import '../symbols.js';

type Class = abstract new (...given: never[]) => object;

/**
 * Copies to `Safe.prototype` the members of `Base.prototype` and of its prototypes that `Safe.prototype` lacks. Then
 * removes the prototype of `Safe.prototype`, so that it inherits nothing that a program can replace.
 */
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

/** The bytes of a `Memory`, with methods of a Buffer that turn text into bytes and back. */
export class Octets extends Uint8Array {
  constructor(memory: ArrayBuffer) {
    super(memory);
  }

  /**
   * Writes `text` as UTF-8 at `offset`: at most `length` bytes, whole characters only. Returns how many bytes it wrote.
   */
  declare utf8Write: (text: string, offset: number, length: number) => number;
  declare utf8Slice: (start: number, end: number) => string;
  /** Returns the bytes as hexadecimal digits in lower case. */
  declare hexSlice: (start: number, end: number) => string;
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

/** A set of objects, which it does not keep alive. */
export class Marks extends (WeakSet as new () => WeakSet<object>) {}

for (const name of ['utf8Write', 'utf8Slice', 'hexSlice'] as const) {
  const method = Object.getOwnPropertyDescriptor(Buffer.prototype, name) as PropertyDescriptor;
  Object.defineProperty(Octets.prototype, name, method);
}
seal(Memory, ArrayBuffer);
seal(Octets, Uint8Array);
seal(View, DataView);
seal(Weak, WeakRef);
seal(Finalizer, FinalizationRegistry);
seal(Marks, WeakSet);

/**
 * Constructors of typed arrays over a `Memory`. Use only the elements of such an array: a program can replace its
 * methods.
 */
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

/** `isUint8Array` as it was when sluice was loaded. A program can replace the function in `node:util/types`. */
export const isUint8Array: typeof isOriginal = isOriginal;

const PlainBuffer = ArrayBuffer;

/**
 * Returns a buffer of `octets` bytes for the program (native code does not keep it); undefined if there is no memory
 * for it.
 */
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
/** The token that lib/ passes to its own constructors. Other code does not have the token, so it cannot call them. */
export type Maker = typeof maker;
export function isMaker(by: unknown): by is Maker {
  return by === maker;
}
export { maker };
