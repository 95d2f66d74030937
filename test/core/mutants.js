// Weakens every memory order in a header, one at a time. If a model accepts a weakened header, it lacks a scenario, or
// the order is stronger than it must be.

import { basename } from 'node:path';
import { mutated, readSources } from '../support/mutated-sources.js';
import { native } from './compiler.js';

const weaker = {
  acquire: ['relaxed'],
  release: ['relaxed'],
  consume: ['relaxed'],
  acq_rel: ['acquire', 'release'],
};

/** Returns the strongest order below seq_cst that the access in `code` (a fence, load, store or exchange) can have. */
function weakerSeqCst(code) {
  if (code.includes('fence(')) return ['acq_rel'];
  if (code.includes('.load(')) return ['acquire'];
  return code.includes('.store(') ? ['release'] : ['acq_rel'];
}

/** Returns the mutants of `header` (a path below native/): one for each way to weaken one memory order in its text. */
export function mutantsOf(header) {
  const sources = readSources(native, [header]);
  const mutants = [];
  let start = 0; // the offset of the line
  for (const [index, line] of sources.get(header).split('\n').entries()) {
    const code = line.replace(/\/\/.*/, '');
    for (const match of code.matchAll(/memory_order(?:_|::)(\w+)/g)) {
      const order = match[1];
      if (order === 'relaxed') continue;
      const weakened = order === 'seq_cst' ? weakerSeqCst(code) : weaker[order];
      for (const weak of weakened ?? refuse(header, index, `unknown order ${order}`)) {
        const to = start + match.index + match[0].length;
        const mutation = { file: header, from: to - order.length, to, text: weak };
        const name = `${basename(header)}:${index + 1} ${order} -> ${weak}`;
        mutants.push({ header, line, name, sources: mutated(sources, [mutation]) });
      }
    }
    start += line.length + 1;
  }
  if (mutants.length === 0) throw new Error(`${header} names no memory order to weaken`);
  return mutants;
}

function refuse(header, index, why) {
  throw new Error(`${header}:${index + 1}: ${why}`);
}
