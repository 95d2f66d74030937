import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Command {
  directory: string;
  file: string;
  arguments: [string, ...string[]];
}

it('compile_commands.json compiles the sources of the addon, of the core tests and of the models', {
  timeout: 240_000,
}, () => {
  execFileSync(process.execPath, ['scripts/compile-commands.js'], { cwd: root });
  const commands = JSON.parse(readFileSync(`${root}compile_commands.json`, 'utf8')) as Command[];
  const files = execFileSync('git', ['ls-files', 'native/**.cc', 'test/core/**.cc'], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(commands.map(({ file }) => file)).toEqual(expect.arrayContaining(files.trimEnd().split('\n')));

  for (const name of [
    'native/addon/addon.cc',
    'test/core/queue/lane_order_test.cc',
    'test/core/model/quiesce_model.cc',
  ]) {
    const command = commands.find(({ file }) => file === name);
    if (command === undefined) throw new Error(`no command for ${name}`);
    const [, ...args] = command.arguments;
    const [compiler = 'c++', ...flags] = (process.env['CXX'] ?? 'c++').split(' ');
    const { status, stderr } = spawnSync(compiler, [...flags, ...args, '-fsyntax-only'], {
      cwd: command.directory,
      encoding: 'utf8',
    });
    if (/(doctest|relacy)\S*: No such file/.test(stderr)) continue; // not installed; the core tests report that
    expect(status, stderr).toBe(0);
  }
});
