// Compiles lib/ to dist/. With --if-stale it does so only if lib/, this program, the configuration or dist/ has changed
// since the last build.
//
// The code in dist/ is CommonJS, one file for each of lib/, because Jest and programs that are CommonJS load nothing
// else everywhere. A file `<name>.mjs` beside each entry point exports the same names to ES modules, so that a process
// has one copy of the classes. rolldown compiles: it resolves what passes through an index.ts to where it is made, so
// that no call goes through a getter, and it writes the contract's numbers where they are used. tsc checks the types
// and writes the declarations.
//
// During a build dist/ stays in place, and each of its files is complete: they are made in another directory, and then
// each changed file is renamed into dist/. A test or a server that runs meanwhile misses only files whose sources were
// removed from lib/.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { digestOf, filesBelow, root } from './digest.js';

const stamp = join(root, 'build/lib.built');

/** Returns the digests of the sources and of dist/. @param {string} sources */
function stampOf(sources) {
  return `${sources} ${digestOf(['dist'])}`;
}

function sources() {
  return digestOf(['lib', 'scripts/build-lib.js', 'package.json', 'tsconfig.json', 'package-lock.json']);
}

function isFresh() {
  try {
    return readFileSync(stamp, 'utf8') === stampOf(sources());
  } catch {
    return false; // nothing was built
  }
}

/** @param {string} file */
function content(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // the file is new
  }
}

/** @param {string} from a directory beside dist/ */
function publish(from) {
  const files = filesBelow(join(root, from));
  for (const file of files) {
    const [made, published] = [join(root, from, file), join(root, 'dist', file)];
    if (content(made) === content(published)) continue;
    mkdirSync(dirname(published), { recursive: true });
    renameSync(made, published);
  }
  for (const file of filesBelow(join(root, 'dist'))) {
    if (!files.includes(file)) rmSync(join(root, 'dist', file), { force: true });
  }
}

/**
 * Writes the declarations into a directory.
 * @param {string} to
 * @returns {number | null} the exit status of tsc
 */
function declare(to) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly', '--outDir', to];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' }).status;
}

/**
 * Makes the functions of `node:timers` those of the time when sluice was loaded, as an import of an ES module does:
 * fake timers replace the functions of the module.
 * @param {string} code
 */
function keepTimers(code) {
  return code.replaceAll(
    /^let (\w+) = (require\("node:timers(?:\/promises)?"\));$/gm,
    'const $1 = { ...$2 };',
  );
}

/**
 * Compiles lib/ into a directory.
 * @param {string} to
 * @returns {Promise<Map<string, string[]>>} the names that each file exports
 */
async function compile(to) {
  const files = filesBelow(join(root, 'lib')).filter((file) => file.endsWith('.ts'));
  const build = await rolldown({
    input: Object.fromEntries(files.map((file) => [file.slice(0, -'.ts'.length), join(root, 'lib', file)])),
    external: (name) => name.endsWith('.node') || !/^[./]/.test(name),
    platform: 'node',
    treeshake: false,
    tsconfig: join(root, 'tsconfig.json'),
    plugins: [{ name: 'timers', renderChunk: keepTimers }],
  });
  const { output } = await build.write({
    dir: join(root, to),
    format: 'cjs',
    preserveModules: true,
    preserveModulesRoot: join(root, 'lib'),
    entryFileNames: '[name].js',
    exports: 'named',
    esModule: false,
    strict: true,
    generatedCode: { symbols: false },
    minify: false,
  });
  return new Map(output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file.exports]] : [])));
}

/**
 * Writes the ES modules of the entry points that package.json names, with their declarations, and the package.json
 * which says that the files beside them are CommonJS.
 * @param {string} to
 * @param {Map<string, string[]>} exported the names that each file exports
 */
function writeEntries(to, exported) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const entry of Object.values(manifest.exports)) {
    const file = entry.import?.default.replace(/^\.\/dist\/|\.mjs$/g, '');
    const names = exported.get(`${file}.js`);
    if (names === undefined) continue; // package.json, and in a test of the build what its lib/ lacks
    const beside = `./${file.split('/').at(-1)}.js`;
    writeFileSync(
      join(root, to, `${file}.mjs`),
      `export {\n  ${names.join(',\n  ')},\n} from '${beside}';\n`,
    );
    writeFileSync(join(root, to, `${file}.d.mts`), `export * from '${beside}';\n`);
  }
  const { sideEffects } = manifest;
  writeFileSync(
    join(root, to, 'package.json'),
    `${JSON.stringify({ type: 'commonjs', sideEffects }, null, 2)}\n`,
  );
}

/** @returns {Promise<number>} the exit status */
async function build() {
  const beside = `.dist-${process.pid}`;
  const before = sources(); // so that an edit during the build makes the stamp stale
  try {
    const status = declare(beside);
    if (status !== 0) return status ?? 1;
    writeEntries(beside, await compile(beside));
    publish(beside);
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, stampOf(before));
    return 0;
  } finally {
    rmSync(join(root, beside), { recursive: true, force: true });
  }
}

if (!(process.argv.includes('--if-stale') && isFresh())) process.exitCode = await build();
