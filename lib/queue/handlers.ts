/**
 * Runs `handle` on each item, at most `concurrency` at the same time, started in the order of the items. When one
 * fails, no more are started, and `stop` is called, which must end a wait for more items; when all that run have
 * ended, the first failure is thrown.
 */
export async function handleAll<Item>(
  items: AsyncIterable<Item>,
  handle: (item: Item) => unknown,
  concurrency: number,
  stop: () => void,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      const result = handle(item);
      if (!isPromise(result)) continue;
      if (concurrency === 1) {
        await result;
        continue;
      }
      const run: Promise<void> = Promise.resolve(result)
        .then(
          () => undefined,
          (error: unknown) => {
            failures.push(error);
            stop();
          },
        )
        .finally(() => running.delete(run));
      running.add(run);
      if (running.size >= concurrency) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/** The items of each batch, in order. */
export async function* oneByOne<Item>(
  batches: AsyncIterable<readonly Item[]>,
): AsyncGenerator<Item, void, void> {
  for await (const batch of batches) yield* batch;
}
