// Weakens every memory order in headers, one at a time. If a model accepts a weakened header, it lacks a scenario, or
// the order is stronger than it must be.
//
// One program contains all mutants of a model: to compile a model takes far longer than to find a mutant's defect. In
// copies of the headers each memory order becomes an expression, which is weaker if the environment variable
// SLUICE_WEAKENED has the number of the mutant (see model/weakened.h). Otherwise all orders are as they are written.

import { basename } from 'node:path';
import { mutated } from '../support/mutated-sources.js';

/** @type {Record<string, readonly string[]>} */
const weaker = {
  acquire: ['relaxed'],
  release: ['relaxed'],
  consume: ['relaxed'],
  acq_rel: ['acquire', 'release'],
};

/**
 * One memory order that is weakened. `number` selects it in the program, `header` is a path below native/, and `line`
 * the text of the line with the order.
 * @typedef {{ number: number, header: string, line: string, name: string }} Mutant
 */

/**
 * Returns the strongest order below seq_cst that the access in `code` (a fence, load, store or exchange) can have.
 * @param {string} code
 */
function weakerSeqCst(code) {
  if (code.includes('fence(')) return ['acq_rel'];
  if (code.includes('.load(')) return ['acquire'];
  return code.includes('.store(') ? ['release'] : ['acq_rel'];
}

/**
 * Returns the mutants of headers, one for each way to weaken one memory order in their text, and copies of these
 * headers that contain them all.
 * @param {import('../support/mutated-sources.js').Sources} headers
 */
export function mutantsOf(headers) {
  /** @type {Mutant[]} */
  const mutants = [];
  /** @type {import('../support/mutated-sources.js').Mutation[]} */
  const mutations = [];
  for (const [header, text] of headers) {
    const before = mutants.length;
    for (const { line, at, from, order, weakened } of ordersIn(header, text)) {
      let value = `std::memory_order_${order}`;
      const to = from + value.length;
      if (text.slice(from, to) !== value) throw new Error(`${header}:${at}: write ${value}`);
      for (const weak of weakened) {
        const number = mutants.length + 1;
        mutants.push({ number, header, line, name: `${basename(header)}:${at} ${order} -> ${weak}` });
        value = `(sluice_weakened == ${number} ? std::memory_order_${weak} : ${value})`;
      }
      mutations.push({ file: header, from, to, text: value });
    }
    if (mutants.length === before) throw new Error(`${header} names no memory order to weaken`);
  }
  return { mutants, copies: mutated(headers, mutations) };
}

/**
 * Yields each memory order in the code of a header that can be weaker: where it begins, and what it can be instead.
 * @param {string} header
 * @param {string} text
 */
function* ordersIn(header, text) {
  let start = 0; // the offset of the line
  for (const [index, line] of text.split('\n').entries()) {
    const code = line.replace(/\/\/.*/, '');
    for (const match of code.matchAll(/(?:std::)?memory_order(?:_|::)(\w+)/g)) {
      const order = match[1] ?? '';
      if (order === 'relaxed') continue;
      const weakened = order === 'seq_cst' ? weakerSeqCst(code) : weaker[order];
      if (weakened === undefined) throw new Error(`${header}:${index + 1}: unknown order ${order}`);
      yield { line, at: index + 1, from: start + match.index, order, weakened };
    }
    start += line.length + 1;
  }
}
