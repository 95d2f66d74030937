import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const execArgv = ['--expose-gc'];

describe.each(nodes)('the garbage collector, on $name,', ({ node }) => {
  it.each([
    'queues',
    'queues that were consumed by hand',
    'queues that were consumed',
    'queues that were attached twice',
    'limiters',
    'stocks on the clock of the machine',
    'stocks on a manual clock',
    'gates',
    'objects that were disposed of',
  ])('gives back the memory of thousands of %s', async (what) => {
    expectEnded(await run(new URL('./programs/garbage.js', import.meta.url), [what], { node, execArgv }), 0);
  });

  it('takes nothing whose handle was read', async () => {
    expectEnded(await run(new URL('./programs/pinned.js', import.meta.url), [], { node, execArgv }), 0);
  });
});
