// What `npm run check:package` finds wrong with a prebuilt binary: what it needs of the machine that loads it, what it
// exports, and whether it has the protections that its system offers. LLVM's tools read the formats of all systems.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

// The official Node.js binaries for Linux need these versions themselves, so every machine that runs such a binary has
// at least these.
const symbolFloors = { GLIBC: '2.28', GLIBCXX: '3.4.21', CXXABI: '1.3.9' };

/** The libraries that every machine of a kind has on which Node.js runs. @type {Record<string, RegExp>} */
const libraries = {
  glibc: /^(lib(c|m|dl|gcc_s|pthread|stdc\+\+)\.so\.\d|ld-linux-.*\.so\.\d)$/,
  musl: /^libc\.so$|^libc\.musl-.*\.so\.1$|^lib(gcc_s\.so\.1|stdc\+\+\.so\.6)$/,
  mac: /^\/usr\/lib\/lib(System\.B|c\+\+\.1)\.dylib$/,
  win: /^(kernel32|advapi32|msvcrt|vcruntime140(_1)?|msvcp140|api-ms-win-.*)\.dll$/i,
};
/** Functions of the program that loads the binary. */
const ofNode = /^(napi|node_api|uv)_\w+$/;

const machines = /** @type {Record<string, RegExp>} */ ({
  x64: /x86[-_]64|AMD64/i,
  arm64: /aarch64|arm64/i,
});

/**
 * Returns the command of a tool of LLVM.
 * @param {'ld64.lld' | 'llvm-readobj' | 'llvm-readelf' | 'llvm-nm' | 'llvm-objdump'} tool
 */
export function findLlvm(tool) {
  // The linker of LLVM 14 cannot leave out the names of local functions.
  const version = tool === 'ld64.lld' ? '16' : '14';
  const found = [`${tool}-${version}`, tool].find((name) => spawnSync(name, ['--version']).status === 0);
  if (found !== undefined) return found;
  throw new Error(`${tool} is not installed (Debian: ${tool === 'ld64.lld' ? 'lld' : 'llvm'}-${version})`);
}

/** @param {Exclude<Parameters<typeof findLlvm>[0], 'ld64.lld'>} tool @param {readonly string[]} args */
function output(tool, ...args) {
  return execFileSync(findLlvm(tool), args, { encoding: 'utf8', maxBuffer: 1 << 26 });
}

/** @param {string} text @param {RegExp} pattern with one group @returns {string[]} */
function all(text, pattern) {
  return [...text.matchAll(pattern)].map(([, group = '']) => group);
}

/** @param {string} candidate @param {string} floor */
function isNewer(candidate, floor) {
  return candidate.localeCompare(floor, 'en', { numeric: true }) > 0;
}

/**
 * @param {readonly string[]} exported @param {RegExp} [harmless] what the binary may export besides
 */
function exportFaults(exported, harmless = /^$/) {
  return [
    ...entryPoints.filter((name) => !exported.includes(name)).map((name) => `does not export ${name}`),
    ...exported
      .filter((name) => !entryPoints.includes(name) && !harmless.test(name))
      .map((name) => `exports ${name}`),
  ];
}

/** @param {string} machine what the tool says @param {string} name of the target */
function machineFaults(machine, name) {
  const [, arch = ''] = name.split('-');
  return machines[arch]?.test(machine) ? [] : [`is for ${machine.trim()}`];
}

/** @param {string} file @param {string} name */
function elfFaults(file, name) {
  const libc = name.endsWith('-musl') ? 'musl' : 'glibc';
  const headers = output('llvm-readelf', '-h', '-l', '-d', '-W', file);
  const faults = machineFaults(/Machine:(.*)/.exec(headers)?.[1] ?? '', name);
  for (const library of all(headers, /\(NEEDED\)\s+Shared library: \[(.*)\]/g)) {
    if (!libraries[libc]?.test(library)) faults.push(`needs ${library}`);
  }
  if (/\((RPATH|RUNPATH)\)/.test(headers)) faults.push('has a run path of the machine that built it');
  if (/\(TEXTREL\)/.test(headers)) faults.push('has code that the loader must change');
  const flags = /\(FLAGS_1\)\s+(.*)/.exec(headers)?.[1] ?? '';
  if (!/NODELETE/.test(flags)) {
    faults.push('is not linked with -z nodelete: it would be unloaded with the last worker that loaded it');
  }
  if (!/NOW/.test(flags)) faults.push('is not linked with -z now');
  if (!/GNU_RELRO/.test(headers)) faults.push('is not linked with -z relro');
  if (!/GNU_STACK(\s+0x\w+){5} RW /.test(headers)) faults.push('has an executable stack');

  const exported = [];
  for (const line of output('llvm-readelf', '--dyn-syms', '-W', file).split('\n')) {
    const [, , , type, binding, , section, symbol = ''] = line.trim().split(/\s+/);
    if (type === undefined || !['GLOBAL', 'WEAK'].includes(binding ?? '')) continue;
    const [bare = '', needed] = symbol.split(/@+/);
    if (section !== 'UND') {
      exported.push(bare);
      continue;
    }
    for (const [library, floor] of Object.entries(symbolFloors)) {
      const wanted = new RegExp(`^${library}_([\\d.]+)$`).exec(needed ?? '')?.[1];
      if (wanted !== undefined && isNewer(wanted, floor)) {
        faults.push(`${bare} needs ${needed}, newer than Node's own ${library}_${floor}`);
      }
    }
    if (libc === 'glibc' && needed === undefined && binding === 'GLOBAL' && !ofNode.test(bare)) {
      faults.push(`needs ${bare}, which no library is named for`);
    }
  }
  return [...faults, ...exportFaults(exported)];
}

/** @param {string} file @param {string} name */
function windowsFaults(file, name) {
  const headers = output('llvm-readobj', '--file-headers', file);
  const faults = machineFaults(/Machine:(.*)/.exec(headers)?.[1] ?? '', name);
  for (const protection of ['DYNAMIC_BASE', 'HIGH_ENTROPY_VA', 'NX_COMPAT']) {
    if (!headers.includes(`IMAGE_DLL_CHARACTERISTICS_${protection}`)) faults.push(`lacks ${protection}`);
  }
  const [imports = '', ...delayed] = output('llvm-readobj', '--coff-imports', file).split(/^DelayImport \{/m);
  for (const library of all(imports, /^ {2}Name: (.*)$/gm)) {
    // Such an import would make Windows look for a program of that name, whatever program loads the binary.
    if (!libraries.win?.test(library)) faults.push(`needs ${library}`);
  }
  const late = delayed.join('\n');
  for (const library of all(late, /^ {2}Name: (.*)$/gm)) {
    if (library !== 'node.exe') faults.push(`needs ${library}, with delay`);
  }
  const functions = all(late, /Symbol: (\S+)/g);
  if (functions.length === 0) faults.push('imports nothing from Node.js with delay');
  faults.push(
    ...functions.filter((symbol) => !ofNode.test(symbol)).map((symbol) => `needs ${symbol} of Node.js`),
  );
  const exported = all(output('llvm-readobj', '--coff-exports', file), /^ {2}Name: (\S+)$/gm);
  // libunwind, which is linked into the binary, declares its functions as exported.
  return [...faults, ...exportFaults(exported, /^(_?unw_|_Unwind_|_GCC_specific_handler)/)];
}

/**
 * Checks an ad-hoc signature: each page of the file has the hash that the code directory in the signature says. macOS
 * on arm64 ends a program that loads code whose pages differ. @param {Buffer} file
 */
function signatureFaults(file) {
  const commands = file.readUInt32LE(16);
  let at = 32;
  for (let left = commands; left > 0; left -= 1) {
    const [command, size] = [file.readUInt32LE(at), file.readUInt32LE(at + 4)];
    if (command === 0x1d) return codeDirectoryFaults(file, file.readUInt32LE(at + 8)); // LC_CODE_SIGNATURE
    at += size;
  }
  return ['has no code signature'];
}

/** @param {Buffer} file @param {number} start of the signature: Apple's numbers in it are big-endian */
function codeDirectoryFaults(file, start) {
  const faults = [];
  const blobs = file.readUInt32BE(start) === 0xfade0cc0 ? file.readUInt32BE(start + 8) : 0;
  for (let blob = 0; blob < blobs; blob += 1) {
    const at = start + file.readUInt32BE(start + 16 + 8 * blob);
    if (file.readUInt32BE(at) !== 0xfade0c02) continue;
    if ((file.readUInt32BE(at + 12) & 0x2) === 0) faults.push('is not signed ad hoc');
    const hashes = at + file.readUInt32BE(at + 16);
    const [count, end] = [file.readUInt32BE(at + 28), file.readUInt32BE(at + 32)];
    const [hashBytes, hashType, pageBits] = [file[at + 36] ?? 0, file[at + 37], file[at + 39] ?? 0];
    if (hashType !== 2 || hashBytes !== 32) return [...faults, 'is not signed with SHA-256'];
    if (end !== start) faults.push('is not signed up to its signature');
    for (let page = 0; page < count; page += 1) {
      const bytes = file.subarray(page << pageBits, Math.min((page + 1) << pageBits, end));
      const signed = file.subarray(hashes + page * hashBytes, hashes + (page + 1) * hashBytes);
      if (!createHash('sha256').update(bytes).digest().equals(signed)) {
        faults.push(`was changed after it was signed, in page ${page}`);
      }
    }
    return count << pageBits < end ? [...faults, 'is not signed as a whole'] : faults;
  }
  return ['has a signature without a code directory'];
}

/** @param {string} file @param {string} name */
function macFaults(file, name) {
  const headers = output('llvm-objdump', '--macho', '--private-headers', file);
  const faults = machineFaults(/MH_MAGIC_64\s+(\S+)/.exec(headers)?.[1] ?? '', name);
  const oldest = /(?:minos|version) (\d+)\.(\d+)/.exec(headers);
  if (oldest?.[0] === undefined || isNewer(`${oldest[1]}.${oldest[2]}`, '11.0')) {
    faults.push(`needs macOS ${oldest?.[1] ?? 'of any version'}, newer than 11.0`);
  }
  for (const library of all(output('llvm-objdump', '--macho', '--dylibs-used', file), /^\s+(\S+) \(/gm)) {
    if (!libraries.mac?.test(library)) faults.push(`needs ${library}`);
  }
  const exported = all(output('llvm-nm', '--extern-only', '--defined-only', file), /^\w+ \S _(\S+)$/gm);
  return [...faults, ...exportFaults(exported), ...signatureFaults(readFileSync(file))];
}

/** @param {string} file the path of a binary @param {string} name of its target */
export function binaryFaults(file, name) {
  if (name.startsWith('linux-')) return elfFaults(file, name);
  return name.startsWith('win32-') ? windowsFaults(file, name) : macFaults(file, name);
}
