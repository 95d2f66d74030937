import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const program = new URL('./programs/ended-anywhere.js', import.meta.url);

describe('a call of the WebAssembly face that ends at any point at which V8 may end a thread', () => {
  it.each(nodes)(
    'leaves the queue whole: $name',
    async ({ node }) => {
      const ended = await run(program, [], { node });
      expectEnded(ended, 0);
      expect(Number(/^(\d+) ends$/m.exec(ended.stdout)?.[1])).toBeGreaterThan(300);
    },
    120_000,
  );

  it('would wedge it if a step of a push were a function of its own', async () => {
    expectEnded(await run(program, ['broken']), 0, 'not whole: tryPush and tryPushMany');
  }, 120_000);
});
