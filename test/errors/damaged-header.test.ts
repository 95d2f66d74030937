import { describe, expect, it } from 'vitest';
import { nodes, run } from '../program.js';

const program = new URL('./programs/damaged-header.js', import.meta.url);
const kinds = ['queue', 'limiter', 'stock', 'gate'] as const;
const otherLayout =
  /^ERR_SLUICE_LAYOUT: (Queue|Limiter|Stock|Gate)\.attach: .*another version of sluice \(bad-(version|layout)\)\. What to do: /;
const noSuchObject = /^ERR_SLUICE_HANDLE: .* is damaged, or that of another object/;
const otherSchema = /^ERR_SLUICE_SCHEMA: /;

// Only on Linux can a process change its own memory in this way. On other systems only
// test/core/base/segment_kinds_test.cc tests this.
describe.runIf(process.platform === 'linux').each(nodes)(
  'a segment in shared memory, on $name,',
  ({ node }) => {
    it('is not attached to unless its header is as it was made, whatever its kind', async () => {
      const { stdout, stderr } = await run(program, [], { node });
      const outcomes: unknown = JSON.parse(stdout || JSON.stringify(stderr));
      for (const kind of kinds) {
        expect(outcomes, stderr).toHaveProperty(kind, {
          nothing: 'attached',
          magic: expect.stringMatching(noSuchObject),
          version: expect.stringMatching(otherLayout),
          kind: expect.stringMatching(noSuchObject),
          bytes: expect.stringMatching(noSuchObject),
          layout: expect.stringMatching(otherLayout),
          schema: expect.stringMatching(otherSchema),
          shape: expect.stringMatching(otherLayout),
          restored: 'attached',
        });
      }
    });
  },
);
