import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

describe.each(nodes)('where code must not be generated from strings, on Node.js $name', ({ node }) => {
  it('records work in queues, batches, permits and gates, over threads', async () => {
    const program = new URL('programs/without-strings.js', import.meta.url);
    expectEnded(await run(program, [], { node, execArgv: ['--disallow-code-generation-from-strings'] }), 0);
  });
});
