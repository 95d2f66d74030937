import { type Handle, type NativeHandle, publicHandle } from './handle.js';

/** The members that the native half of every shared object has. */
interface NativeObject {
  readonly handle: NativeHandle;
  dispose(): void;
}

/**
 * Public objects whose handle was read. They are not collected before they are disposed of, so that another thread can
 * attach. A program can replace the methods of a Set and would get what they are called with: add only public objects.
 */
const pinned = new Set<object>();

/**
 * The half of a Queue, Limiter, Stock or Gate that is the same for all four: its handle, and its end. These classes
 * have it as a member and do not extend it: a program can replace the base of a class, and `super()` would then call
 * the program.
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

  /** Once this was read, the public object is not garbage-collected before it is disposed of. */
  get handle(): Handle<Kind> {
    if (!this.#disposed) pinned.add(this.#owner);
    return publicHandle(this.#kind, this.#native.handle);
  }

  /** Whether this thread has let go of the object. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * Lets go of the object in this thread. First it calls `end`, which ends what the object is doing, while native calls
   * still succeed.
   */
  dispose(end?: () => void): void {
    this.#disposed = true;
    end?.();
    this.#native.dispose();
    pinned.delete(this.#owner);
  }
}
