import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { Pause, sleep } from '../../dist/redis/client/within.js';

it('a pause ends after its time, by end(), or when the signal aborts, and leaves no listener on the signal', async () => {
  const { signal } = new AbortController();
  const listeners = (): number => getEventListeners(signal, 'abort').length;
  const pause = new Pause();
  await pause.for(1, signal);
  expect(listeners()).toBe(0);
  const long = pause.for(600_000, signal);
  expect(listeners()).toBe(1);
  pause.end();
  await long;
  expect(listeners()).toBe(0);
  pause.end(); // no pause is going on
  const ending = new AbortController();
  const both = Promise.all([pause.for(600_000, ending.signal), sleep(600_000, ending.signal)]);
  ending.abort();
  await both;
  await pause.for(600_000, ending.signal); // aborted before
  expect(getEventListeners(ending.signal, 'abort')).toHaveLength(0);
});
