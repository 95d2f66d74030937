import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

describe.skipIf(process.platform !== 'linux')(
  'a program that has the functions of the WebAssembly face',
  () => {
    it.each(nodes)('can do nothing with them: $name', async ({ node }) => {
      const result = await run(new URL('./programs/face.js', import.meta.url), [], { node });
      expectEnded(result, 0);
      expect(result.stdout).toMatch(/^[1-9]\d* functions\nok\n$/);
    });
  },
);
