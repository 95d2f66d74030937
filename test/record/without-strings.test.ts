import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

describe.each(nodes)('where code must not be generated from strings, on Node.js $name', ({ node }) => {
  it.each([[[]], [['--disable-proto=delete']], [['--disable-proto=throw']]])(
    'records work in queues, batches, permits and gates, over threads, with %j',
    async (further) => {
      const program = new URL('programs/without-strings.js', import.meta.url);
      const execArgv = ['--disallow-code-generation-from-strings', ...further];
      expectEnded(await run(program, [], { node, execArgv }), 0);
    },
  );
});
