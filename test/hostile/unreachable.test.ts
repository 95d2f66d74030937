import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

const program = (name: string) => new URL(`programs/${name}.js`, import.meta.url);

describe.each(nodes)('what code beside sluice can do to it, Node.js $name', ({ node }) => {
  it('reaches no native object, and survives a call of whatever it reaches', async () => {
    expectEnded(await run(program('reach'), [], { node }), 0);
  });

  it('is handed no native memory and no native object by built-ins that it has replaced', async () => {
    expectEnded(await run(program('patched'), [], { node }), 0);
  });

  it('finds that native functions survive every argument, and whatever stands in their memory', async () => {
    expectEnded(await run(program('arguments'), ['1'], { node }), 0);
    expectEnded(await run(program('arguments'), ['2'], { node }), 0);
  });
});
