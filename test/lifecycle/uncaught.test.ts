import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const places = [
  'a handler',
  'a handler that is woken',
  'an async handler among others',
  'for await',
  'a visit',
  'a tick after a handler',
  'a listener of the signal',
  'a worker',
];

describe.each(nodes)('an uncaught error, on $name,', { concurrent: true }, ({ node }) => {
  it.each(places)('in %s ends the process as any other error would: code 1, no signal', async (place) => {
    const ended = await run(new URL('./programs/uncaught.js', import.meta.url), [place, 'die'], { node });
    expectEnded(ended, 1, '');
    expect(ended.stderr).toContain('not caught');
  });

  it.each(places)('in %s, if the process survives it, leaves a queue that works', async (place) => {
    expectEnded(await run(new URL('./programs/uncaught.js', import.meta.url), [place, 'go on'], { node }), 0);
  });
});
