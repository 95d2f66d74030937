import { expect, it } from 'vitest';
import { run } from '../program.js';

it('A queue that is closed with records in its store lets the event loop go on', async () => {
  const program = new URL('./programs/closed-ring.js', import.meta.url);
  const { stdout } = await run(program, [], { patienceMs: 20_000 });
  const closed = 'ERR_SLUICE_CLOSED';
  expect(JSON.parse(stdout)).toEqual({ seen: [0], records: 4, late: closed, waiting: closed });
});
