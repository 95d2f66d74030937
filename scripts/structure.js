// Checks the structure of the sources: which part may include or import which, that there are no circles, that shared
// numbers are in the contract only, the width of lines, the length of files, and their names.
//
//   node scripts/structure.js

import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listFiles } from './files.js';

/** Text by path, relative to the root. @typedef {ReadonlyMap<string, string>} Tree */
/** Returns the violations of a rule, one entry for each place. @typedef {(tree: Tree) => Iterable<string>} Rule */

/**
 * The system headers that core and sessions may include. These need a compiler, but no operating system and no heap.
 */
export const freestanding = [
  ...['algorithm', 'atomic', 'bit', 'cmath', 'cstddef', 'cstdint', 'cstring', 'iterator', 'limits', 'new'],
  ...['optional', 'span', 'string_view', 'type_traits', 'utility', 'intrin.h'], // the last: MSVC's
];

/**
 * Forbidden arrows: a file that matches `from` must not include or import a target that matches `never`. A target is a
 * path, or the name of a system header or package as `<name>`.
 * @type {readonly { what: string, from: RegExp, never: RegExp }[]}
 */
const never = [
  {
    what: 'the core knows only itself',
    from: /^native\/core\//,
    never: /^native\/(?!core\/)/,
  },
  {
    what: 'core and sessions include no header of a system, and none that allocates, waits, starts threads or writes',
    from: /^native\/(core|session)\//,
    never: new RegExp(`^<(?!(${freestanding.join('|')})>)`),
  },
  { what: 'the base knows no object', from: /^native\/core\/base\//, never: /^native\/core\/(?!base\/)/ },
  {
    what: 'the queue knows neither gate nor limiter',
    from: /^native\/core\/queue\//,
    never: /^native\/core\/(gate|limiter)\//,
  },
  {
    what: 'the stock knows neither queue, limiter nor gate',
    from: /^native\/core\/stock\//,
    never: /^native\/core\/(queue|limiter|gate)\//,
  },
  {
    what: 'the limiter knows neither stock nor gate',
    from: /^native\/core\/limiter\//,
    never: /^native\/core\/(stock|gate)\//,
  },
  {
    what: 'the contract knows only the core',
    from: /^native\/contract\//,
    never: /^native\/(?!contract\/|core\/)/,
  },
  {
    what: 'a session knows neither faces nor the platform',
    from: /^native\/session\//,
    never: /^native\/(addon|wasm|platform)\//,
  },
  {
    what: 'the platform knows no face and no session',
    from: /^native\/platform\//,
    never: /^native\/(addon|session|wasm)\//,
  },
  { what: 'the two faces do not know each other', from: /^native\/addon\//, never: /^native\/wasm\// },
  { what: 'the two faces do not know each other', from: /^native\/wasm\//, never: /^native\/addon\// },
  {
    what: 'the binding knows no public class',
    from: /^lib\/binding\//,
    never: /^lib\/(?!binding\/|input\/|symbols\.ts)/,
  },
  {
    what: 'the tracer knows the contract, and no object',
    from: /^lib\/trace\//,
    never: /^lib\/(?!trace\/|input\/|binding\/contract\.ts$)/,
  },
  { what: 'input is below all else', from: /^lib\/input\//, never: /^lib\/(?!input\/)/ },
  {
    what: 'http knows only limiter and input',
    from: /^lib\/http\//,
    never: /^lib\/(?!http\/|limiter\/|input\/)/,
  },
  {
    what: 'what is built of the objects does not reach below them',
    from: /^lib\/(redis|overflow|dispatch\/(?!affinity\.ts$)|observe)/,
    never: /^lib\/binding\//,
  },
  { what: 'the package imports nothing of its repository', from: /^lib\//, never: /^(?!lib\/|<)/ },
  {
    what: 'the harness knows no case and no rival',
    from: /^bench\/harness\//,
    never: /^bench\/(cases|rivals)\//,
  },
];

/** The allowed places and names of sources. */
const places = [
  /^native\/(contract|core\/(base|queue|limiter|stock|gate)|session|platform|addon|wasm)\/[a-z0-9_]+\.(h|cc)$/,
  /^native\/addon\/exports\.map$/,
  /^lib\/((binding|clock|dispatch|gate|http|input|limiter|observe|overflow|queue|record|redis(\/[a-z]+)?|stock|trace)\/)?[a-z0-9-]+\.ts$/,
];

/** The longest line that a person may write. (The formatters break code at 110.) */
const columns = 120;
/**
 * The most lines of a file that are neither empty nor a comment. Comments and Markdown files may be as long as they
 * must.
 */
const codeLinesMax = 350;
const testLinesMax = 400;
/**
 * Files with more lines, and how many they may have. These numbers may only shrink.
 * @type {Record<string, { lines: number, why: string }>}
 */
const longer = {
  'lib/binding/contract.ts': { lines: 540, why: 'generated: one line for each number and name' },
};

/** Numbers of general use, which may be in any file: powers of ten, and a minute, an hour and a day in milliseconds. */
const units = new Set([10_000, 100_000, 1_000_000, 60_000, 3_600_000, 86_400_000]);
/** Numbers that are also in the contract, with another meaning. @type {Record<string, readonly number[]>} */
const namesakes = {
  'lib/clock/manual-clock.ts': [1e12], // in a message: the longest step of the clock
  'lib/dispatch/dead-letters.ts': [65_535], // bytes of a text
  'lib/dispatch/delays.ts': [2_147_483_647], // the longest timer
  'lib/dispatch/options.ts': [2_147_483_647, 1_048_576],
  'lib/dispatch/source.ts': [65_536], // orders in hand
  'lib/limiter/request.ts': [1e12], // the longest timeout
  'lib/queue/options.ts': [65_536], // records of a batch
  'lib/record/fields.ts': [0xffff_ffff], // in a message: the largest u32
  'lib/record/interpret.ts': [0xffff_ffff],
  'lib/stock/options.ts': [65_536], // defaults
  'lib/trace/program.ts': [65_536], // a power of two
  'lib/stock/sweeper.ts': [16_384], // slots
  'lib/stock/staging.ts': [0xffff_ffff], // SKUs that are numbers
};

const contract = 'lib/binding/contract.ts';

/** @type {Record<string, Rule>} */
export const rules = {
  *arrows(tree) {
    for (const file of tree.keys()) {
      for (const target of targetsOf(tree, file, 'all')) {
        for (const { what, from, never: forbidden } of never) {
          if (from.test(file) && forbidden.test(target)) yield `${file} -> ${target}: ${what}`;
        }
      }
    }
  },

  *circles(tree) {
    /** @type {Map<string, 'open' | 'done'>} */
    const seen = new Map();
    /** @type {string[]} */
    const path = [];
    /** @param {string} file @returns {Iterable<string>} */
    function* visit(file) {
      if (seen.get(file) === 'done') return;
      if (seen.get(file) === 'open') {
        yield [...path.slice(path.indexOf(file)), file].join(' -> ');
        return;
      }
      seen.set(file, 'open');
      path.push(file);
      for (const target of targetsOf(tree, file, 'loaded')) {
        if (tree.has(target)) yield* visit(target);
      }
      path.pop();
      seen.set(file, 'done');
    }
    for (const file of tree.keys()) yield* visit(file);
  },

  *numbers(tree) {
    const shared = new Set(
      [...numbersIn(tree.get(contract) ?? '')].filter((n) => n > 1_024 && !units.has(n)),
    );
    for (const [file, text] of tree) {
      if (!file.startsWith('lib/') || file === contract) continue;
      const code = withoutComments(text);
      for (const number of numbersIn(code)) {
        if (shared.has(number) && !namesakes[file]?.includes(number)) {
          yield `${file}: ${number} is a number of the contract: import it`;
        }
      }
    }
  },

  *offsets(tree) {
    const literal =
      /\b\w*(?:staging|words|halves|view|floats|f64|u32|u64|i32)\w*\[\d+\]|\.[gs]et(?:Big)?(?:Ui|I|Flo)\w+\(\d+|new \w+Array\(\w[\w.]*, \d+/gi;
    for (const [file, text] of tree) {
      if (!/^lib\/(?!http\/|record\/)/.test(file)) continue;
      for (const [found] of withoutComments(text).matchAll(literal)) {
        yield `${file}: ${found} is an offset, which the contract has`;
      }
    }
  },

  *columns(tree) {
    for (const [file, text] of tree) {
      // In JavaScript and TypeScript this rule looks at comments only. Biome limits code, except lines whose texts it
      // cannot break.
      const counts = /\.[mc]?[jt]s$/.test(file) ? /^\s*(\*|\/[/*])|[;{},)] \/\/ / : /^[^|]/;
      for (const [index, line] of text.split('\n').entries()) {
        if ([...line].length > columns && counts.test(line)) {
          yield `${file}:${index + 1}: wider than ${columns} columns`;
        }
      }
    }
  },

  *lengths(tree) {
    for (const [file, text] of tree) {
      if (file.endsWith('.md')) continue;
      const lines = withoutComments(text).match(/^.*\S.*$/gm)?.length ?? 0;
      const usual = file.startsWith('test/') ? testLinesMax : codeLinesMax;
      const { lines: max = usual } = longer[file] ?? {};
      if (lines > max) yield `${file}: ${lines} lines of code, more than ${max}`;
      if (file in longer && (lines <= usual || lines < max - 20)) {
        yield `${file}: has ${lines} lines of code now, say so in scripts/structure.js`;
      }
    }
    for (const file of Object.keys(longer)) {
      if (!tree.has(file)) yield `${file}: is no more, take it out of scripts/structure.js`;
    }
  },

  *names(tree) {
    for (const file of tree.keys()) {
      if (/^(native|lib)\//.test(file) && !places.some((place) => place.test(file))) {
        yield `${file}: no part of the house, or not named as its files are`;
      }
      if (/^bench\/(?!(harness|cases|rivals|traps|flame|results)\/|run\.js$|README\.md$)/.test(file)) {
        yield `${file}: no part of bench/`;
      }
      if (/^native\/(addon|platform|session)\/.*\.cc$/.test(file) && !isPartOfAddon(tree, file)) {
        yield `${file}: is not included by native/addon/all.cc`;
      }
      if (/^test\/core\/.*\.cc$/.test(file) && !/(_test|_model|\/main)\.cc$/.test(file)) {
        yield `${file}: a suite is named *_test.cc, a model *_model.cc`;
      }
    }
  },
};

/** @param {Tree} tree @param {string} file */
function isPartOfAddon(tree, file) {
  return (
    file === 'native/addon/all.cc' ||
    tree.get('native/addon/all.cc')?.includes(`#include "${file.replace('native/', '')}"\n`)
  );
}

/**
 * Returns the violations of all rules, or of those that are named.
 * @param {Tree} tree
 * @param {readonly string[]} [names]
 */
export function violations(tree, names = Object.keys(rules)) {
  return names.flatMap((name) => [...(rules[name]?.(tree) ?? [])].map((found) => `${name}: ${found}`));
}

/**
 * Reads all source files and documents that git tracks or would track.
 * @param {string} root
 * @returns {Map<string, string>}
 */
export function readTree(root) {
  const written = listFiles([], root)
    .filter((file) => /\.(h|cc|cpp|ts|mts|cts|js|mjs|cjs|md|map)$/.test(file))
    .filter((file) => !file.startsWith('bench/results/'));
  return new Map(written.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

/**
 * Returns the targets that a file includes or imports: paths, and `<name>` for targets outside the tree. With 'loaded'
 * only those that are loaded with the file; with 'all' also types, and files that it only names.
 * @param {Tree} tree @param {string} file @param {'loaded' | 'all'} which @returns {string[]}
 */
function targetsOf(tree, file, which) {
  const text = tree.get(file) ?? '';
  /** @param {string} path */
  const beside = (path) => posix.join(posix.dirname(file), path);
  if (/\.(h|cc|cpp)$/.test(file)) {
    return [...text.matchAll(/^\s*#\s*include\s*(["<].+[">])/gm)].map(([, name = '']) => {
      if (name.startsWith('<')) return name;
      const path = name.slice(1, -1);
      return tree.has(beside(path)) || path.startsWith('.') ? beside(path) : `native/${path}`;
    });
  }
  if (!/\.[mc]?[jt]s$/.test(file)) return [];
  const imports = withoutComments(text).matchAll(
    /^\s*(?:import|export)\s(type\s)?(?:[\w\s{},*$]*\sfrom\s)?'([^']+)'|\b(new URL|import)\('([^']+)'/gm,
  );
  return [...imports].flatMap(([, type, name, lazy, path = name ?? '']) => {
    if (which === 'loaded' && (type !== undefined || lazy !== undefined)) return [];
    if (!path.startsWith('.')) return [`<${path}>`];
    const joined = beside(path);
    return [tree.has(joined) ? joined : joined.replace(/js$/, 'ts')];
  });
}

/** @param {string} text */
function withoutComments(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*/g, '$1');
}

/** @param {string} code @returns {Iterable<number>} */
function* numbersIn(code) {
  for (const [, base, exponent, literal = ''] of code.matchAll(
    /\b(\d+) \*\* (\d+)(?: - 1\b)?|(?<![\w.])(0x[\da-f_]+|\d[\d_]*(?:\.\d+)?(?:e-?\d+)?)\b(?!n)/gi,
  )) {
    yield base === undefined ? Number(literal.replaceAll('_', '')) : Number(base) ** Number(exponent);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = violations(readTree(fileURLToPath(new URL('..', import.meta.url))));
  for (const violation of found) console.error(violation);
  console.log(`structure: ${found.length === 0 ? 'in order' : `${found.length} violations`}`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
