// The arguments of `npm run test:core`: which suites, in which builds, and which models.

import { parseArgs } from 'node:util';

const usage = `npm run test:core -- [suite...] [options]
  suite              a file, by its name without _test.cc: ring
  --build A,B        the builds of the suites; default: all
  --model A,B        the models to explore and to check by mutants
  --list             names suites, builds and models
Without arguments: all suites in all builds, and all models. With some: what they name, and nothing else.`;

/**
 * The suites, builds and models to run, by name.
 * @typedef {{ suites: string[], builds: string[], models: string[] }} Selection
 */

/** Thrown to end a run before it begins. `text` is what the run then prints. */
export class NothingToRun extends Error {
  /** @param {string} text @param {0 | 2} exitCode */
  constructor(text, exitCode) {
    super(text);
    this.exitCode = exitCode;
  }
}

/**
 * @param {string[]} args
 * @param {Selection} known all names
 * @returns {Selection}
 */
export function select(args, known) {
  const { values, positionals: suites } = parsed(args);
  if (values.help) throw new NothingToRun(usage, 0);
  if (values.list) throw new NothingToRun(listed(known), 0);
  const builds = split(values.build);
  const models = split(values.model);
  expectKnown('suite', suites, known.suites);
  expectKnown('build', builds, known.builds);
  expectKnown('model', models, known.models);
  if (args.length === 0) return known;
  if (suites.length === 0 && builds.length === 0) return { suites: [], builds: [], models };
  return {
    suites: suites.length > 0 ? suites : known.suites,
    builds: builds.length > 0 ? builds : known.builds,
    models,
  };
}

/** @param {string[]} args */
function parsed(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        build: { type: 'string', multiple: true, default: [] },
        model: { type: 'string', multiple: true, default: [] },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new NothingToRun(`${error instanceof Error ? error.message : error}\n\n${usage}`, 2);
  }
}

/** @param {string[]} lists */
function split(lists) {
  return lists.flatMap((names) => names.split(','));
}

/** @param {string} what @param {string[]} names @param {string[]} known */
function expectKnown(what, names, known) {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const text = `no ${what} is called ${unknown.join(' or ')}; there are:\n  ${known.join('\n  ')}`;
  throw new NothingToRun(`${text}\n\n${usage}`, 2);
}

/** @param {Selection} known */
function listed(known) {
  return Object.entries(known)
    .map(([what, names]) => `${what}:\n  ${names.join('\n  ')}`)
    .join('\n');
}
