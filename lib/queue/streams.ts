import { ReadableStream, WritableStream } from 'node:stream/web';

/** The records of a consuming loop as a Web Stream, which takes one when its reader asks for one, not before. */
export function readableOf<T>(records: AsyncGenerator<T, void, void>): ReadableStream<T> {
  return ReadableStream.from(records) as ReadableStream<T>;
}

/** A Web Stream whose writes `push` with a signal that ends the wait for room when the stream is aborted. */
export function writableTo<T>(
  push: (value: T, signal: AbortSignal) => Promise<void>,
  close: () => void,
): WritableStream<T> {
  return new WritableStream<T>({
    // The types of Node 20 lack the signal, which it has had since version 18.
    write: (value, controller) =>
      push(value, (controller as unknown as { readonly signal: AbortSignal }).signal),
    close,
  });
}
