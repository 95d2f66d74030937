/**
 * Gets hold of the functions of the WebAssembly face, from the call sites of an overflow of the stack in one of them,
 * and calls them with invented cells and keys. Prints ok if no call does anything.
 */
import { Queue, record, u32 } from 'sluice';
import { windowOf } from '../../../dist/binding/window.js';

const Row = record({ number: u32 });
const queue = Queue.create(Row, { capacity: 8 });
if (queue.stats().path !== 'wasm') throw new Error('the queue does not use WebAssembly');

/** @type {Set<any>} */
const found = new Set();
Error.prepareStackTrace = (_, sites) => {
  for (const site of sites) {
    for (const value of [site.getThis(), site.getFunction()]) if (value !== undefined) found.add(value);
  }
  return '';
};
Error.stackTraceLimit = 10;
/** Pushes at every depth of the stack, up to its end. */
function deeper() {
  try {
    queue.tryPush({ number: 1 });
    queue.drain(() => {}, 1);
    deeper();
  } catch (error) {
    void (/** @type {Error} */ (error).stack);
  }
}
for (let i = 0; i < 200; i++) deeper();
queue.drain(() => {});

/** @param {any} value @returns {Array<(...given: number[]) => unknown>} */
const functionsIn = (value) => {
  if (value instanceof WebAssembly.Instance) return /** @type {any[]} */ (Object.values(value.exports));
  return typeof value === 'function' && /^function \d+\(/.test(Function.prototype.toString.call(value))
    ? [value]
    : [];
};

for (const value of found) {
  if (value instanceof WebAssembly.Memory || value instanceof SharedArrayBuffer)
    throw new Error('the memory');
}
const functions = [...[...found].flatMap(functionsIn), ...Object.values(windowOf()?.face ?? {})];
const before = JSON.stringify(queue.stats());
for (const call of functions) {
  for (let cell = 0; cell < 2 ** 22; cell += 1024) {
    for (const key of [0, 1, -1]) {
      const answer = call(cell, key, key, 1, 1);
      // Memory that is zeroed has the key 0, which is the key of no cell.
      if (answer !== -3) throw new Error(`answered ${answer}`);
    }
  }
  for (const cell of [-8, 2 ** 30, 2 ** 31]) {
    try {
      if (call(cell, 0, 0, 1, 1) !== -3) throw new Error('answered');
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    }
  }
}
if (JSON.stringify(queue.stats()) !== before) throw new Error('a call did something');
console.log(`${functions.length} functions`);
console.log('ok');
