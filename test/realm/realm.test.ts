import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

describe.each(nodes)('in a vm context, as Jest and vitest make them, on Node.js $name', ({ node }) => {
  it('works, lets go, and answers with objects of that realm; timers of the realm are not used', async () => {
    const program = new URL('programs/in-context.js', import.meta.url);
    expectEnded(await run(program, [], { node, execArgv: ['--experimental-vm-modules'] }), 0);
  });
});
