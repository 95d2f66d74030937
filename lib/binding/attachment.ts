import { type Handle, type NativeHandle, publicHandle } from './handle.js';

/** The members that the native half of every shared object has. */
interface NativeObject {
  readonly handle: NativeHandle;
  dispose(): void;
}

/**
 * Public objects whose handle was read. They are not collected before they are disposed of, so that another thread can
 * attach. A program can replace the methods of a Set, so none but public objects may be handed to them.
 */
const pinned = new Set<object>();

/**
 * The half of a Queue, Limiter, Stock or Gate that is the same for all four: its handle, and its end. A member of these
 * classes, not their base: a program can replace the base of a class, and would be called by `super()`.
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

  /** Reading it keeps the public object from being collected until that is disposed of. */
  get handle(): Handle<Kind> {
    if (!this.#disposed) pinned.add(this.#owner);
    return publicHandle(this.#kind, this.#native.handle);
  }

  /** Whether this thread has let go of the object. */
  get disposed(): boolean {
    return this.#disposed;
  }

  /** Lets go of the object in this thread. `end` ends what it does, while native calls still succeed. */
  dispose(end?: () => void): void {
    this.#disposed = true;
    end?.();
    this.#native.dispose();
    pinned.delete(this.#owner);
  }
}
