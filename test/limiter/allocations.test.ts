import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const execArgv = ['--expose-gc', '--min-semi-space-size=16', '--max-semi-space-size=16'];

describe.each(nodes)('Limiter.allow, on $name,', ({ node }) => {
  it.each([
    'none',
    'small integers',
    'other numbers',
    'strings',
    'strings beyond Latin-1',
    'bigints',
    'bigints of many words',
  ])('allocates nothing, with keys that are %s', async (kind) => {
    const program = new URL('./programs/allocations.js', import.meta.url);
    expectEnded(await run(program, [kind], { node, execArgv }), 0);
  });
});
