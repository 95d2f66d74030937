import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

describe.each(nodes)('process.exit(), on $name,', { concurrent: true }, ({ node }) => {
  it.each([
    'at once',
    'asleep as the consumer',
    'in a handler',
    'in a visit',
    'in a handler of the gate',
    'woken by a worker',
    'beside workers that push and consume',
    'beside workers that admit and consume',
    'beside workers that reserve and audit',
    'beside workers that come and go',
    'after all was disposed of',
  ])('%s, ends the process with its code and no signal', async (stage) => {
    expectEnded(await run(new URL('./programs/exits.js', import.meta.url), [stage, '7'], { node }), 7);
  });
});

describe.each(nodes)('a process, on $name,', { concurrent: true }, ({ node }) => {
  it.each([
    'with records in a queue',
    'with handles read',
    'after tryPop',
    'after drain',
    'after consume was aborted',
    'after the queue was closed',
    'after for await was left',
    'after dispose',
    'after a handler failed',
  ])('ends by itself when no loop consumes: %s', async (manner) => {
    const ended = await run(new URL('./programs/alive.js', import.meta.url), [manner], { node });
    expectEnded(ended, 0);
    expect(ended.stderr).toBe('');
  });

  it.each([
    'while it consumes',
    'while it waits for the next record',
    'while it consumes orders',
    'while a worker consumes',
  ])('stays %s', async (manner) => {
    const ended = await run(new URL('./programs/alive.js', import.meta.url), [manner], { node });
    expectEnded(ended, 0);
    expect(ended.stdout).toContain('still here');
  });
});
