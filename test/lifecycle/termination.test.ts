import { describe, expect, it } from 'vitest';
import { replay, seed } from '../seed.js';
import { expectEnded, nodes, run } from './program.js';

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

describe.each(nodes)('a worker that is terminated, on $name,', ({ node }) => {
  it.each(activities)('while it is %s takes nothing with it', async (activity) => {
    expectEnded(await run('terminated.js', [`${seed}`, activity], { node }), 0);
  });
});

describe.each(nodes)('150 workers that are terminated at random, on $name,', ({ node }) => {
  it.each(['push', 'admit'])('while they %s wedge nothing, and the process ends with 0', async (manner) => {
    const ended = await run('random-terminations.js', [`${seed}`, manner], { node });
    expect(ended.stderr, replay).toBe('');
    expectEnded(ended, 0);
  });
});
