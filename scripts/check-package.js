// Packs the package and checks the tarball that a user's npm would get: the manifest, the exact list of files, the
// findings of publint, and what each binary needs from the machine that loads it. With --all it fails unless there is a
// binary for each target.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { binaryFaults } from './binaries.js';
import { ownTarget, targets } from './prebuilds.js';

const benchBytesMax = 200_000;
const tarballBytesMax = 2_500_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'sluice-check-package-'));
const count = { passed: 0, failed: 0 };

/** @param {string} name @param {() => string[] | Promise<string[]>} findFaults */
async function check(name, findFaults) {
  const faults = await findFaults();
  count[faults.length === 0 ? 'passed' : 'failed'] += 1;
  console.log(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  for (const fault of faults) console.log(`     ${fault}`);
}

/** @param {string} directory @returns {string[]} paths below `directory` */
function filesIn(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

/** @param {string[]} actual @param {string[]} expected */
function differences(actual, expected) {
  return [
    ...actual.filter((entry) => !expected.includes(entry)).map((entry) => `unexpected: ${entry}`),
    ...expected.filter((entry) => !actual.includes(entry)).map((entry) => `missing: ${entry}`),
  ];
}

/** @param {{ exports: Record<string, { import?: { default: string } }> }} manifest */
function expectedFiles(manifest) {
  const compiled = filesIn(join(root, 'lib'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .flatMap((file) => [`dist/${file}.d.ts`, `dist/${file}.js`]);
  const entries = Object.values(manifest.exports).flatMap((entry) => {
    const file = entry.import?.default.slice('./'.length, -'.mjs'.length);
    return file === undefined ? [] : [`${file}.d.mts`, `${file}.mjs`];
  });
  const others = [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'package.json',
    'bin/sluice.js',
    'dist/package.json',
  ];
  return [...others, ...compiled, ...entries];
}

/**
 * @param {string[]} files of the benchmark: they are plain JavaScript, and may import only Node.js, sluice and each
 *   other
 */
function benchFaults(files) {
  return files.flatMap((file) => {
    const imports = readFileSync(join(root, file), 'utf8').matchAll(
      /^(?:import|export) .*? from '([^']+)'/gms,
    );
    return [...imports]
      .map(([, name = '']) => name)
      .filter((name) => !name.startsWith('node:') && name !== 'sluice')
      .filter((name) => !name.startsWith('.') || !files.includes(join(dirname(file), name)))
      .map((name) => `${file} imports ${name}, which is not in the package`);
  });
}

try {
  await check('the lock files name no registry', () =>
    execFileSync('git', ['ls-files', '*package-lock.json'], { cwd: root, encoding: 'utf8' })
      .trim()
      .split('\n')
      .filter((file) => readFileSync(join(root, file), 'utf8').includes('"resolved"'))
      .map((file) => `${file} has "resolved" entries: set omit-lockfile-registry-resolved in your npm`),
  );

  execFileSync('npm', ['pack', '--silent', '--pack-destination', temporary], { cwd: root, stdio: 'inherit' });
  const tarball = join(temporary, readdirSync(temporary)[0] ?? '');
  execFileSync('tar', ['-xzf', tarball, '-C', temporary]);
  const unpacked = join(temporary, 'package');
  const files = filesIn(unpacked);
  const manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8'));
  const binaries = files.filter((file) => file.startsWith('prebuilds/') && file.endsWith('.node'));

  await check('publint --strict has nothing to say', async () => {
    const { buffer } = new Uint8Array(readFileSync(tarball));
    const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
    return messages.map((message) => formatMessage(message, pkg) ?? message.code);
  });
  await check('the tarball holds the compiled library, the prebuilt binaries, and nothing else', () =>
    differences(
      files.filter((file) => !binaries.includes(file) && !file.startsWith('bench/')),
      expectedFiles(manifest),
    ),
  );
  const bench = files.filter((file) => file.startsWith('bench/'));
  await check('the benchmark in it is small, is no test, and imports only what is in it too', () => {
    const bytes = bench.reduce((sum, file) => sum + statSync(join(unpacked, file)).size, 0);
    return [
      ...bench.filter((file) => /\.test\./.test(file)).map((file) => `unexpected: ${file}`),
      ...(bench.includes('bench/run.js') ? [] : ['missing: bench/run.js']),
      ...(bytes <= benchBytesMax ? [] : [`${bytes} bytes, more than ${benchBytesMax}`]),
      ...benchFaults(bench),
    ];
  });
  const wanted = process.argv.includes('--all')
    ? targets
    : targets.filter((target) => target === ownTarget());
  await check(
    `there is a prebuilt binary for ${wanted.map(({ name }) => name).join(', ')}, none unknown`,
    () => [
      ...wanted
        .filter(({ file }) => !binaries.includes(`prebuilds/${file}`))
        .map(({ file }) => `missing: prebuilds/${file}`),
      ...binaries
        .filter((file) => !targets.some((target) => file === `prebuilds/${target.file}`))
        .map((file) => `unexpected: ${file}`),
    ],
  );
  await check('installing it runs nothing and pulls in nothing', () => {
    const scripts = ['preinstall', 'install', 'postinstall'].filter((name) => name in manifest.scripts);
    const dependencies = ['dependencies', 'optionalDependencies', 'bundleDependencies'];
    const peers = Object.keys(manifest.peerDependencies ?? {});
    return [
      ...scripts.map((name) => `has the script "${name}"`),
      ...dependencies.filter((name) => name in manifest).map((name) => `has ${name}`),
      ...peers
        .filter((name) => manifest.peerDependenciesMeta?.[name]?.optional !== true)
        .map((name) => `has the peer ${name}, which is not optional`),
      ...(manifest.gypfile === false ? [] : ['"gypfile" is not false: npm would look for a binding.gyp']),
    ];
  });
  await check('no file tells where it was built', () =>
    files
      .filter((file) => readFileSync(join(unpacked, file)).includes(root))
      .map((file) => `${file} holds ${root}`),
  );
  await check(`the tarball has at most ${tarballBytesMax} bytes`, () => {
    const { size } = statSync(tarball);
    return size <= tarballBytesMax ? [] : [`${size} bytes`];
  });
  for (const { name, file } of targets.filter((target) => binaries.includes(`prebuilds/${target.file}`))) {
    await check(`${name}: needs only what such machines have, exports two entry points, is hardened`, () =>
      binaryFaults(join(unpacked, 'prebuilds', file), name),
    );
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`check:package: ${count.passed} passed, ${count.failed} failed, 0 skipped`);
process.exitCode = count.failed === 0 ? 0 : 1;
