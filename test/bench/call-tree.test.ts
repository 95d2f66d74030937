import { expect, it } from 'vitest';
import { callTree } from '../../bench/flame/call-tree.js';

it('a CPU profile becomes a tree of functions, with their own times and their callees, without idle time', () => {
  const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });
  const tree = callTree({
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 4] },
      { id: 2, callFrame: frame('push', 'file:///x/queue/producer.js', 9), children: [3, 5] },
      { id: 3, callFrame: frame('', 'file:///x/queue/codec.js', 0) },
      { id: 4, callFrame: frame('(idle)') },
      { id: 5, callFrame: frame('never sampled') },
    ],
    samples: [2, 3, 4, 3],
    timeDeltas: [100, 250, 9_000, 250],
  });
  expect(tree).toEqual({
    name: '(root)',
    value: 600,
    children: [
      {
        name: 'push queue/producer.js:10',
        value: 600,
        children: [{ name: '(anonymous) queue/codec.js:1', value: 500, children: [] }],
      },
    ],
  });
});
