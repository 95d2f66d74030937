/** Reads the stream of a dashboard. */
import type { Frame } from '../../lib/observe/frames.js';

export type { Frame } from '../../lib/observe/frames.js';

/** Opens the page as a browser does, and yields its frames until the caller has enough. */
export async function* frames(address: string): AsyncGenerator<Frame> {
  const opened = await fetch(address, { redirect: 'manual' });
  const cookie = opened.headers.get('set-cookie')?.split(';')[0] ?? '';
  const stream = await fetch(new URL('/events', address), { headers: { cookie } });
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of stream.body ?? []) {
    text += decoder.decode(part as Uint8Array, { stream: true });
    const messages = text.split('\n\n');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const data = /^event: frame\ndata: (.*)$/m.exec(message)?.[1];
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}
