import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const execArgv = ['--expose-gc'];

describe.each(nodes)('the garbage collector, on $name,', { concurrent: true }, ({ node }) => {
  it.each([
    'queues',
    'queues that were consumed by hand',
    'queues that were consumed',
    'queues whose iterator was abandoned',
    'queues that were attached twice',
    'limiters',
    'limiters that were waited for',
    'stocks on the clock of the machine',
    'stocks on a manual clock',
    'gates',
    'objects that were disposed of',
  ])('gives back the memory of hundreds of %s', async (what) => {
    expectEnded(await run(new URL('./programs/garbage.js', import.meta.url), [what], { node, execArgv }), 0);
  });

  it('takes nothing of a gate that a hold still needs', async () => {
    const program = new URL('./programs/outliving-hold.js', import.meta.url);
    expectEnded(await run(program, [], { node, execArgv }), 0);
  });

  it('takes no object whose handle was read', async () => {
    expectEnded(await run(new URL('./programs/pinned.js', import.meta.url), [], { node, execArgv }), 0);
  });
});

describe('the memory of an object', () => {
  const program = new URL('./programs/committed.js', import.meta.url);
  /** Returns by how many megabytes the program's process has grown. */
  const grown = async (what: string, commit: string): Promise<number> =>
    Number((await run(program, [what, commit])).stdout);

  it.each(['queue', 'limiter', 'stock', 'restored stock', 'gate'])(
    'is resident when a %s is created with commit, and without commit not before it is written to',
    async (what) => {
      const committed = await grown(what, 'commit');
      expect(committed).toBeGreaterThan(60);
      // Restoring a stock reads its empty tables. Some kernels make a page resident when it is first read.
      const most = what === 'restored stock' ? committed - 50 : 30;
      expect(await grown(what, 'no')).toBeLessThan(most);
    },
  );
});
