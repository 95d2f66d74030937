import { afterEach } from 'vitest';

/** Returns a list. What a test puts into it, such as a server, is closed after that test. */
export function closedAfterEach(): Array<{ close(): PromiseLike<unknown> }> {
  const open: Array<{ close(): PromiseLike<unknown> }> = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  return open;
}
