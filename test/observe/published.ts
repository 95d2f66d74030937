import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach } from 'vitest';

let stop: Array<() => void> = [];
afterEach(() => {
  for (const end of stop) end();
  stop = [];
});

/** Returns what is published on a channel from now to the end of the test. */
export function published(name: string): unknown[] {
  const messages: unknown[] = [];
  const listener = (message: unknown) => void messages.push(message);
  subscribe(name, listener);
  stop.push(() => unsubscribe(name, listener));
  return messages;
}
