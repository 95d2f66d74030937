import { expect, it } from 'vitest';
import { runCompiler } from './compiler.js';

it('A compiler may be given with the program that starts it, as CXX="ccache g++" is', async () => {
  const { code, output } = await runCompiler('node -p', ['6 * 7']);
  expect({ code, output }).toEqual({ code: 0, output: '42\n' });
});
