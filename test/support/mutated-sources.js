// Mutated copies of sources: faults planted to try the tests, and memory orders that are weakened to try the models.
// Shipped sources contain neither: only a copy of their text is changed.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Text by path, relative to the root. @typedef {Map<string, string>} Sources */

/**
 * Replaces the text of `file` from offset `from` to offset `to`.
 * @typedef {{ file: string, from: number, to: number, text: string }} Mutation
 */

/**
 * A statement (with its semicolon) or an expression that occurs exactly once in the sources, whatever the white space
 * in it, and the text that replaces it. `within` is text around `sound` that occurs once, if `sound` alone does not.
 * `isScript`: it stands in the text of a script, which is a template string.
 * @typedef {{ sound: string, faulty: string, within?: string, isScript?: boolean }} Fault
 */

/**
 * @param {string} root
 * @param {readonly string[]} paths files, and directories with all that is below them
 * @returns {Sources}
 */
export function readSources(root, paths) {
  const files = paths.flatMap((path) =>
    statSync(join(root, path)).isFile() ? [path] : filesBelow(root, path),
  );
  return new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

/**
 * Makes the mutation that plants a fault. The fault is inactive unless the environment variable SLUICE_PLANT has its
 * name, so that one build can contain many.
 * @param {Sources} sources
 * @param {string} name
 * @param {Fault} fault
 * @returns {Mutation}
 */
export function plant(sources, name, { sound, faulty, within = sound, isScript = false }) {
  const { file, from, to, text } = onlyPlace(sources, name, within);
  const at = onlyPlace(new Map([[file, text.slice(from, to)]]), name, sound);
  const awake = file.endsWith('.js') ? `process.env.SLUICE_PLANT === '${name}'` : `sluice_planted("${name}")`;
  const place = { file, from: from + at.from, to: from + at.to };
  if (isScript)
    return { ...place, text: `\${${awake} ? ${JSON.stringify(faulty)} : ${JSON.stringify(sound)}}` };
  const guarded = sound.endsWith(';')
    ? `{ if (${awake}) { ${faulty} } else { ${sound} } }`
    : `(${awake} ? (${faulty}) : (${sound}))`;
  return { ...place, text: guarded };
}

/**
 * Returns the files that the mutations change, with all mutations applied. No two mutations may overlap.
 * @param {Sources} sources
 * @param {readonly Mutation[]} mutations
 * @returns {Sources}
 */
export function mutated(sources, mutations) {
  /** @type {Sources} */
  const changed = new Map();
  const begun = new Map();
  const lastFirst = [...mutations].sort((a, b) => b.from - a.from);
  for (const { file, from, to, text } of lastFirst) {
    const before = changed.get(file) ?? sources.get(file);
    if (before === undefined) throw new Error(`${file} is none of the sources`);
    if (to > (begun.get(file) ?? before.length))
      throw new Error(`${file}: mutations overlap at offset ${from}`);
    begun.set(file, from);
    changed.set(file, before.slice(0, from) + text + before.slice(to));
  }
  return changed;
}

/**
 * Writes each file below `directory`. A file that has its text already keeps its time, so that its build products are
 * not built again.
 * @param {Sources} sources
 * @param {string} directory
 */
export function writeSources(sources, directory) {
  for (const [file, text] of sources) {
    const path = join(directory, file);
    mkdirSync(dirname(path), { recursive: true });
    if (textOf(path) !== text) writeFileSync(path, text);
  }
}

/**
 * Makes `directory` contain under `paths` what the sources contain there, and nothing else.
 * @param {Sources} sources
 * @param {readonly string[]} paths
 * @param {string} directory
 */
export function mirrorSources(sources, paths, directory) {
  for (const path of paths.flatMap((top) => filesBelow(directory, top))) {
    if (!sources.has(path)) rmSync(join(directory, path));
  }
  writeSources(sources, directory);
}

/** @param {string} path */
function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** @param {string} root @param {string} path @returns {string[]} none if there is no such directory */
function filesBelow(root, path) {
  const directory = join(root, path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((file) => `${path}/${file}`)
    .filter((file) => statSync(join(root, file)).isFile());
}

/** @param {Sources} sources @param {string} name @param {string} part */
function onlyPlace(sources, name, part) {
  const words = part.split(/\s+/).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(words.join('\\s+'), 'g');
  const places = [...sources]
    .filter(([file]) => /\.(h|cc|js)$/.test(file))
    .flatMap(([file, text]) =>
      [...text.matchAll(pattern)].map(({ 0: found, index }) => ({
        file,
        text,
        from: index,
        to: index + found.length,
      })),
    );
  const [place] = places;
  if (place === undefined || places.length > 1) {
    const where = places.map(({ file }) => file).join(' and ') || 'nowhere';
    throw new Error(`${name}: its text must occur in one place, but occurs ${where}: ${part}`);
  }
  return place;
}
