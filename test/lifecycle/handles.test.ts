import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

describe.each(nodes)('a queue that threads share, on $name:', { concurrent: true }, ({ node }) => {
  it.each([
    'the creator ends before the others',
    'the last holder ends: the handle is dead',
    'the holder is terminated: the handle is dead',
    'the creator disposes: the handle is dead',
    'only workers load the addon, one after another',
    'only workers hold the queue, each hands it to the next',
  ])('%s', async (story) => {
    expectEnded(await run(new URL('./programs/handles.js', import.meta.url), [story], { node }), 0);
  });
});
