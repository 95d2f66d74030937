// Makes a release of the current commit, and keeps it on this machine until it is pushed:
//
//   npm run release -- 1.2.3              version, changelog, binaries of all platforms, checks, commit, tag
//   npm run release -- 1.2.3 --dry-run    says what it would do, and changes nothing
//
// The pushed tag starts .github/workflows/release.yml, which builds everything again and publishes it. A failure leaves
// the version and the changelog changed, but no commit: `git checkout .` takes both back.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';

/** @param {string} program @param {readonly string[]} args */
function output(program, ...args) {
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}

/** @param {string} reason @returns {never} */
function refuse(reason) {
  console.error(`release: ${reason}`);
  process.exit(1);
}

/** Returns the numbers of a version, of which a candidate's is finite. @param {string} version */
function numbersOf(version) {
  const [numbers = '', candidate = 'Infinity'] = version.split('-rc.');
  return [...numbers.split('.'), candidate].map(Number);
}

/** Returns whether version a is newer than b. @param {string} a @param {string} b */
function isNewer(a, b) {
  const [numbers, others] = [numbersOf(a), numbersOf(b)];
  const at = numbers.findIndex((number, i) => number !== others[i]);
  return at >= 0 && (numbers[at] ?? 0) > (others[at] ?? 0);
}

/** Returns the changelog with what is unreleased under the version. @param {string} text @param {string} version */
function released(text, version) {
  const heading = '## [Unreleased]\n';
  const [before, after] = text.split(heading);
  if (before === undefined || after === undefined) refuse('CHANGELOG.md has no heading "## [Unreleased]"');
  const [unreleased = ''] = after.split(/^## /m);
  if (!/^- /m.test(unreleased)) refuse('CHANGELOG.md lists nothing under "## [Unreleased]"');
  return `${before}${heading}\n## [${version}] - ${new Date().toISOString().slice(0, 10)}\n${after}`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'dry-run': { type: 'boolean', default: false } },
});
const [version = '', ...rest] = positionals;
if (!/^\d+\.\d+\.\d+(-rc\.\d+)?$/.test(version) || rest.length > 0) {
  refuse('wants one version, such as 1.2.3 or 1.2.3-rc.0');
}
process.chdir(output('git', 'rev-parse', '--show-toplevel'));
const current = JSON.parse(readFileSync('package.json', 'utf8')).version;
if (!isNewer(version, current)) refuse(`${version} is not newer than ${current}`);
if (output('git', 'status', '--porcelain') !== '') refuse('the working tree has changes');
if (output('git', 'tag', '--list', `v${version}`) !== '') refuse(`there is a tag v${version}`);
const branch = output('git', 'branch', '--show-current');
if (branch !== 'main') refuse(`this is ${branch === '' ? 'no branch' : `the branch ${branch}`}, not main`);
const changelog = released(readFileSync('CHANGELOG.md', 'utf8'), version);

const commands = [
  ['npm', 'version', version, '--no-git-tag-version', '--ignore-scripts'],
  ['npm', 'run', 'prebuild', '--', '--all'],
  ['npm', 'run', 'check:package', '--', '--all'],
  ['npm', 'run', 'test:package'],
  ['git', 'commit', '--quiet', '--all', '--message', `Release ${version}`],
  ['git', 'tag', '--annotate', `v${version}`, '--message', `sluice ${version}`],
];
console.log(`CHANGELOG.md: what is unreleased becomes ${version}`);
if (!values['dry-run']) writeFileSync('CHANGELOG.md', changelog);
for (const [program = '', ...args] of commands) {
  console.log(`${program} ${args.map((word) => (word.includes(' ') ? `"${word}"` : word)).join(' ')}`);
  if (!values['dry-run']) execFileSync(program, args, { stdio: 'inherit' });
}
console.log(
  `To publish: git push origin main v${version}${values['dry-run'] ? ' (a dry run: nothing was changed)' : ''}`,
);
