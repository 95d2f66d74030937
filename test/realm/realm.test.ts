import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const program = new URL('programs/in-context.js', import.meta.url);
const execArgv = ['--experimental-vm-modules'];

describe.each(nodes)('in a vm context, as Jest and vitest make them, on Node.js $name', ({ node }) => {
  it('works, lets go, and answers with objects of that realm; timers of the realm are not used', async () => {
    expectEnded(await run(program, [], { node, execArgv }), 0);
  });

  it('does so in one that generates no code from strings', async () => {
    expectEnded(await run(program, ['no-strings'], { node, execArgv }), 0);
  });
});
