/**
 * Turns a .cpuprofile of V8 into the tree that d3-flame-graph draws: a node's value is the time in it and in its
 * callees.
 */

/** @typedef {{ name: string, value: number, children: CallTree[] }} CallTree values are microseconds */

/**
 * @typedef {object} Profile
 * @property {{ id: number, callFrame: { functionName: string, url: string, lineNumber: number }, children?: number[]
 *   }[]} nodes
 * @property {number[]} samples ids of nodes
 * @property {number[]} timeDeltas microseconds before each sample
 */

/** V8's name for the time in which a thread waits. */
const IDLE = '(idle)';

/** @param {Profile} profile @returns {CallTree} without the time in which the thread did nothing */
export function callTree({ nodes, samples, timeDeltas }) {
  /** @type {Map<number, number>} */
  const own = new Map();
  for (const [i, id] of samples.entries()) own.set(id, (own.get(id) ?? 0) + Math.max(0, timeDeltas[i] ?? 0));
  const byId = new Map(nodes.map((node) => [node.id, node]));

  /** @param {number} id @returns {CallTree} */
  const treeOf = (id) => {
    const node = byId.get(id);
    const children = (node?.children ?? [])
      .map(treeOf)
      .filter(({ name, value }) => name !== IDLE && value > 0);
    const value = children.reduce((sum, child) => sum + child.value, own.get(id) ?? 0);
    return { name: node === undefined ? '?' : nameOf(node.callFrame), value, children };
  };
  return treeOf(nodes[0]?.id ?? 0);
}

/** @param {Profile['nodes'][number]['callFrame']} frame */
function nameOf({ functionName, url, lineNumber }) {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name} ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`;
}
