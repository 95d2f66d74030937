import { describe, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';
import { seed } from '../seed.js';

const activities = [
  'pushing',
  'pushing many',
  'popping',
  'draining',
  'in a visit',
  'asleep as the consumer',
  'falling asleep and waking',
  'in a handler',
  'at the end of consuming, again and again',
  'admitting',
  'consuming orders',
  'asking the limiter',
  'reserving and confirming',
  'auditing',
  'attaching and letting go',
  'creating',
];

describe.each(nodes)('a worker that is terminated, on $name,', { concurrent: true }, ({ node }) => {
  it.each(activities)('while it is %s takes nothing with it', async (activity) => {
    expectEnded(
      await run(new URL('./programs/terminated.js', import.meta.url), [`${seed}`, activity], { node }),
      0,
    );
  });
});

describe.each(nodes)('workers that are terminated at random, on $name,', ({ node }) => {
  // The soak repeats this on the Node.js that runs the tests; on that one, it is tried more often here, too.
  it.each(
    node === process.execPath
      ? [
          ['push', '150'],
          ['admit', '60'],
        ]
      : [
          ['push', '50'],
          ['admit', '20'],
        ],
  )(
    'while they %s, %s of them, block nothing, and the process ends with 0',
    async (manner, count) => {
      const program = new URL('./programs/random-terminations.js', import.meta.url);
      expectEnded(await run(program, [`${seed}`, manner, count], { node, patienceMs: 170_000 }), 0);
    },
    180_000, // takes seconds where nothing else runs; on a busy machine so many threads start much more slowly
  );
});
