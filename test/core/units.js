// Sources of one directory are compiled together, because most of a compiler's time goes into headers that they share:
// it reads these once, and makes the code of their inline functions and templates once.

import { readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Suites that replace functions of the whole program, which cannot be done within a namespace. */
const alone = ['base/out_of_memory_test.cc'];

/** A file to compile, and what its object is called. @typedef {{ name: string, file: string }} Unit */

/**
 * The files to compile for these suites.
 * @param {string} directory where the suites are
 * @param {string[]} sources paths below it
 * @param {string} scratch a directory for files that this function writes
 * @returns {Unit[]}
 */
export function unitsOf(directory, sources, scratch) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  for (const source of sources) {
    const name = alone.includes(source) ? source.replaceAll('/', '-') : dirname(source);
    groups.set(name, [...(groups.get(name) ?? []), join(directory, source)]);
  }
  return [...groups].map(([name, [first = '', ...more]]) => {
    if (more.length === 0) return { name, file: first };
    const file = join(scratch, `unit-${name}.cc`);
    writeFileSync(file, together([first, ...more]));
    return { name, file };
  });
}

/**
 * One file to compile for all of these.
 * @param {string} name
 * @param {readonly string[]} files
 * @param {string} scratch a directory for the file that this function writes
 * @returns {Unit}
 */
export function unitOf(name, files, scratch) {
  const file = join(scratch, `unit-${name}.cc`);
  writeFileSync(file, files.map((each) => `#include "${each}"\n`).join(''));
  return { name, file };
}

/**
 * A source that contains all `files`, each in a namespace of its own, so that they may use the same names. What they
 * include comes first, outside of these namespaces. Then the guards of the headers make the suites' own lines empty.
 * @param {string[]} files
 */
function together(files) {
  const includes = new Set(
    files.flatMap((file) => readFileSync(file, 'utf8').match(/^#include .+$/gm) ?? []),
  );
  const suites = files.map((file) => `namespace ${basename(file, '.cc')} {\n#include "${file}"\n}`);
  return `${[...includes, ...suites].join('\n')}\n`;
}
