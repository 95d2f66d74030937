import { ReadableStream, WritableStream } from 'node:stream/web';
import { bare } from '../input/index.js';

/** Returns the records of a consuming loop as a Web Stream, which takes a record only when its reader asks for one. */
export function readableOf<T>(records: AsyncGenerator<T, void, void>): ReadableStream<T> {
  return ReadableStream.from(records) as ReadableStream<T>;
}

/** Returns a Web Stream that writes with `push`. The signal ends a push's wait for room when the stream is aborted. */
export function writableTo<T>(
  push: (value: T, signal: AbortSignal) => Promise<void>,
  close: () => void,
): WritableStream<T> {
  // Without a prototype, from which the stream would read more properties than these.
  return new WritableStream<T>(
    bare({
      // The types of Node 20 lack the signal, which it has had since version 18.
      write: (value: T, controller: object) =>
        push(value, (controller as { readonly signal: AbortSignal }).signal),
      close,
    }),
  );
}
