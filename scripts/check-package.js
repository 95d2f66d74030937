// Packs the package and checks the tarball that a user's npm would get: the manifest, the exact list of files, the
// findings of publint, and on Linux what the binary needs from the machine that loads it.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

// The official Node.js binaries for Linux need these versions themselves, so every machine that runs such a binary has
// at least these.
const symbolFloors = { GLIBC: '2.28', GLIBCXX: '3.4.21', CXXABI: '1.3.9' };
const exportedSymbols = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
const libraries = ['libc.so.6', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0', 'libstdc++.so.6'];
const benchBytesMax = 200_000;
const nodelete = 0x8; // DF_1_NODELETE of the ELF dynamic section

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

/** @param {string} version @param {string} floor */
function isNewer(version, floor) {
  return version.localeCompare(floor, 'en', { numeric: true }) > 0;
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

/** @param {string} binary */
function symbolFaults(binary) {
  const faults = [];
  const exported = [];
  for (const line of execFileSync('objdump', ['-T', binary], { encoding: 'utf8' }).split('\n')) {
    const isUndefined = line.includes('*UND*');
    const symbol = line.trim().split(/\s+/).at(-1) ?? '';
    for (const [library, floor] of Object.entries(symbolFloors)) {
      const version = new RegExp(`\\b${library}_([\\d.]+)`).exec(line)?.[1];
      if (version !== undefined && isNewer(version, floor)) {
        faults.push(`${symbol} needs ${library}_${version}, newer than Node's own ${library}_${floor}`);
      }
    }
    if (/^[0-9a-f]{8,} /.test(line) && !isUndefined) exported.push(symbol);
  }
  return [...faults, ...differences(exported, exportedSymbols)];
}

/** @param {string} binary */
function linkFaults(binary) {
  const headers = execFileSync('objdump', ['-p', binary], { encoding: 'utf8' });
  const faults = [];
  for (const [, library = ''] of headers.matchAll(/NEEDED\s+(\S+)/g)) {
    if (!libraries.includes(library) && !library.startsWith('ld-linux')) faults.push(`needs ${library}`);
  }
  if (/\b(RPATH|RUNPATH)\b/.test(headers)) faults.push('has a run path of the machine that built it');
  if ((Number(/FLAGS_1\s+(0x[0-9a-f]+)/.exec(headers)?.[1] ?? 0) & nodelete) === 0) {
    faults.push('is not linked with -z nodelete: it would be unloaded with the last worker that loaded it');
  }
  return faults;
}

try {
  await check('the lock file names no registry', () =>
    readFileSync(join(root, 'package-lock.json'), 'utf8').includes('"resolved"')
      ? ['package-lock.json has "resolved" entries: set omit-lockfile-registry-resolved in your npm']
      : [],
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
  await check('there is a prebuilt binary for this platform', () =>
    binaries.some((file) => file.startsWith(`prebuilds/${process.platform}-${process.arch}/`))
      ? []
      : [`prebuilds: ${binaries.join(', ') || 'none'}`],
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
  for (const file of binaries.filter((name) => name.startsWith('prebuilds/linux-'))) {
    await check(`${file} needs no newer system than Node does, and exports its two entry points`, () =>
      symbolFaults(join(unpacked, file)),
    );
    await check(`${file} is linked to stay loaded, against the standard libraries only`, () =>
      linkFaults(join(unpacked, file)),
    );
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`check:package: ${count.passed} passed, ${count.failed} failed, 0 skipped`);
process.exitCode = count.failed === 0 ? 0 : 1;
