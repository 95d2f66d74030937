import { afterEach } from 'vitest';

/** A list: what a test puts into it, a server say, is closed after that test. */
export function closedAfterEach(): Array<{ close(): PromiseLike<unknown> }> {
  const open: Array<{ close(): PromiseLike<unknown> }> = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  return open;
}
