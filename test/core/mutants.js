// Weakens every memory order in a header, one at a time. A model that accepts a weakened header does not show
// that the order is needed: then it lacks a scenario, or the order is stronger than it has to be.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { native } from './compiler.js';

const weaker = {
  acquire: ['relaxed'],
  release: ['relaxed'],
  consume: ['relaxed'],
  acq_rel: ['acquire', 'release'],
};

/** A fence, a load and an exchange that are seq_cst are each weakened to the strongest that is not. */
function weakerSeqCst(code) {
  if (code.includes('fence(')) return ['acq_rel'];
  if (code.includes('.load(')) return ['acquire'];
  return code.includes('.store(') ? ['release'] : ['acq_rel'];
}

/** Every way to weaken one order of `header` (a path below native/), found by reading its text. */
export async function mutantsOf(header) {
  const text = await readFile(`${native}/${header}`, 'utf8');
  const lines = text.split('\n');
  const mutants = [];
  lines.forEach((line, index) => {
    const code = line.replace(/\/\/.*/, '');
    for (const match of code.matchAll(/memory_order(?:_|::)(\w+)/g)) {
      const order = match[1];
      if (order === 'relaxed') continue;
      const weakened = order === 'seq_cst' ? weakerSeqCst(code) : weaker[order];
      for (const weak of weakened ?? refuse(header, index, `unknown order ${order}`)) {
        const at = match.index + match[0].length - order.length;
        const changed = line.slice(0, at) + weak + line.slice(at + order.length);
        mutants.push({
          header,
          line,
          name: `${basename(header)}:${index + 1} ${order} -> ${weak}`,
          text: [...lines.slice(0, index), changed, ...lines.slice(index + 1)].join('\n'),
        });
      }
    }
  });
  if (mutants.length === 0) throw new Error(`${header} names no memory order to weaken`);
  return mutants;
}

/** Writes a mutant where `-I <directory>` finds it before the original. */
export async function writeMutant(mutant, directory) {
  await mkdir(dirname(`${directory}/${mutant.header}`), { recursive: true });
  await writeFile(`${directory}/${mutant.header}`, mutant.text);
}

function refuse(header, index, why) {
  throw new Error(`${header}:${index + 1}: ${why}`);
}
