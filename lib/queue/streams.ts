import { ReadableStream, WritableStream } from 'node:stream/web';
import { bare } from '../input/index.js';

/** The records of a consuming loop as a Web Stream, which takes one when its reader asks for one, not before. */
export function readableOf<T>(records: AsyncGenerator<T, void, void>): ReadableStream<T> {
  return ReadableStream.from(records) as ReadableStream<T>;
}

/** A Web Stream whose writes `push` with a signal that ends the wait for room when the stream is aborted. */
export function writableTo<T>(
  push: (value: T, signal: AbortSignal) => Promise<void>,
  close: () => void,
): WritableStream<T> {
  // Without a prototype: the stream reads more properties than these.
  return new WritableStream<T>(
    bare({
      // The types of Node 20 lack the signal, which it has had since version 18.
      write: (value: T, controller: object) =>
        push(value, (controller as { readonly signal: AbortSignal }).signal),
      close,
    }),
  );
}
