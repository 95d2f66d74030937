import { type Handle, type NativeHandle, publicHandle } from './handle.js';

/** The members that the native object of every shared object has. */
interface NativeObject {
  readonly handle: NativeHandle;
  dispose(): void;
}

/**
 * Public objects whose handle was read. They are not collected before they are disposed of, so that another thread can
 * attach. A program can replace the methods of a Set, and its methods would get every object that is added: add only
 * public objects.
 */
const pinned = new Set<object>();

/**
 * The handle and the disposal of a Queue, Limiter, Stock or Gate: one implementation for all four. These classes have
 * an Attachment as a member and do not extend it: a program can replace the base of a class, and `super()` would then
 * call a function of the program.
 */
export class Attachment<Kind extends string> {
  readonly #kind: Kind;
  readonly #owner: object;
  readonly #native: NativeObject;
  #disposed = false;

  /** `owner`: the public object. */
  constructor(kind: Kind, owner: object, native: NativeObject) {
    this.#kind = kind;
    this.#owner = owner;
    this.#native = native;
  }

  /** Once a program has read this, the public object is not garbage-collected before it is disposed of. */
  get handle(): Handle<Kind> {
    if (!this.#disposed) pinned.add(this.#owner);
    return publicHandle(this.#kind, this.#native.handle);
  }

  /** Whether the object was disposed of in this thread. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Disposes of the object in this thread. First calls `end`, which ends the object's waits and loops, while native
   * calls still succeed.
   */
  dispose(end?: () => void): void {
    this.#disposed = true;
    end?.();
    this.#native.dispose();
    pinned.delete(this.#owner);
  }
}
