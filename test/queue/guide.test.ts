import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

it('the example of docs/guide/queue.md prints what its comment says', () => {
  const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(`${root}docs/guide/queue.md`, 'utf8')) ?? [];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', example ?? ''],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '[ 1, 2 ]\n[ 3 ]\n', stderr: '' });
});
