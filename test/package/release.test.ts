// The release script, in a repository of its own whose builds and checks only note that they were run.

import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

let repository: string;

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: repository, encoding: 'utf8' }).trim();
}

function release(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('npm', ['run', '--silent', 'release', '--', ...args], {
    cwd: repository,
    encoding: 'utf8',
  });
}

function read(file: string): string {
  return readFileSync(join(repository, file), 'utf8');
}

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'sluice-release-'));
  git('init', '--quiet', '--initial-branch', 'main');
  git('config', 'user.name', 'Test');
  git('config', 'user.email', 'test@example.com');
  copyFileSync(
    fileURLToPath(new URL('../../scripts/release.js', import.meta.url)),
    join(repository, 'release.js'),
  );
  const note = (what: string): string => `node -e "fs.appendFileSync('.git/ran', '${what} ')" --`;
  const scripts = {
    release: 'node release.js',
    prebuild: note('prebuild'),
    'check:package': note('check'),
    'test:package': note('test'),
  };
  const manifest = { name: 'shop', version: '0.9.0', type: 'module', scripts };
  writeFileSync(join(repository, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeFileSync(
    join(repository, 'CHANGELOG.md'),
    '# Changes\n\n## [Unreleased]\n\n- Faster.\n\n## [0.9.0]\n\n- First.\n',
  );
  git('add', '.');
  git('commit', '--quiet', '--message', 'All');
});

afterEach(() => {
  rmSync(repository, { recursive: true, force: true });
});

test('a release has its version, its changelog, its checks, a commit and a tag', () => {
  const { status, stderr } = release('0.10.0');
  expect(status, stderr).toBe(0);
  expect(JSON.parse(read('package.json')).version).toBe('0.10.0');
  expect(read('CHANGELOG.md')).toMatch(/## \[Unreleased\]\n\n## \[0\.10\.0\] - \d{4}-\d\d-\d\d\n\n- Faster/);
  expect(read('.git/ran')).toBe('prebuild check test ');
  expect(git('log', '-1', '--format=%s')).toBe('Release 0.10.0');
  expect(git('rev-parse', 'v0.10.0^{commit}')).toBe(git('rev-parse', 'HEAD'));
  expect(git('status', '--porcelain')).toBe('');
});

test('candidates come before their version, in their order', () => {
  for (const version of ['1.0.0-rc.9', '1.0.0-rc.10', '1.0.0']) {
    expect(release(version).stderr).not.toContain('not newer');
    expect(git('log', '-1', '--format=%s')).toBe(`Release ${version}`);
    writeFileSync(join(repository, 'CHANGELOG.md'), '## [Unreleased]\n\n- More.\n');
    git('commit', '--quiet', '--all', '--message', 'More');
  }
  expect(release('1.0.0-rc.11').stderr).toContain('1.0.0-rc.11 is not newer than 1.0.0');
});

test('a dry run says the same steps, and changes nothing', () => {
  const before = git('rev-parse', 'HEAD');
  const { status, stdout } = release('0.10.0', '--dry-run');
  expect(status).toBe(0);
  expect(stdout.split('\n').map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
    'CHANGELOG.md: what is',
    'npm version 0.10.0',
    'npm run prebuild',
    'npm run check:package',
    'npm run test:package',
    'git commit --quiet',
    'git tag --annotate',
    'To publish: git',
    '',
  ]);
  expect([git('rev-parse', 'HEAD'), git('status', '--porcelain'), git('tag')]).toEqual([before, '', '']);
  expect(() => read('.git/ran')).toThrow('ENOENT');
});

test('a check that fails leaves no commit and no tag', () => {
  const manifest = JSON.parse(read('package.json'));
  manifest.scripts['check:package'] = 'node -e "process.exit(3)"';
  writeFileSync(join(repository, 'package.json'), JSON.stringify(manifest));
  git('commit', '--quiet', '--all', '--message', 'Broken');
  expect(release('0.10.0').status).not.toBe(0);
  expect(read('.git/ran')).toBe('prebuild ');
  expect([git('log', '-1', '--format=%s'), git('tag')]).toEqual(['Broken', '']);
});

test.each([
  ['0.9.0', '0.9.0 is not newer than 0.9.0'],
  ['0.8.12', '0.8.12 is not newer than 0.9.0'],
  ['0.9.0-rc.1', '0.9.0-rc.1 is not newer than 0.9.0'],
  ['next', 'wants one version'],
  ['1.0.0-beta.1', 'wants one version'],
])('the version %s is refused', (version, reason) => {
  const { status, stderr } = release(version);
  expect(status).toBe(1);
  expect(stderr).toContain(reason);
});

test('changes that no commit has, another branch, and an empty changelog are refused', () => {
  writeFileSync(join(repository, 'new.txt'), 'new');
  expect(release('0.10.0').stderr).toContain('the working tree has changes');
  rmSync(join(repository, 'new.txt'));
  git('switch', '--quiet', '--create', 'other');
  expect(release('0.10.0').stderr).toContain('this is the branch other, not main');
  git('switch', '--quiet', 'main');
  writeFileSync(join(repository, 'CHANGELOG.md'), '## [Unreleased]\n\n## [0.9.0]\n\n- First.\n');
  git('commit', '--quiet', '--all', '--message', 'Nothing new');
  expect(release('0.10.0').stderr).toContain('lists nothing under "## [Unreleased]"');
});
