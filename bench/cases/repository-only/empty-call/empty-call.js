/**
 * The least that a native call can cost: a Node-API function without arguments that returns at once. Its addon is built
 * on first use, with node-gyp.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const folder = fileURLToPath(new URL('.', import.meta.url));
const binary = fileURLToPath(new URL('./build/Release/empty_call.node', import.meta.url));
const CALLS = 10_000;

export const file = import.meta.url;

/** @type {Record<string, import('../../../harness/repository-only/caller.js').Case>} */
export const cases = {
  'empty call': {
    share() {
      if (!existsSync(binary)) build();
      return { data: binary, dispose() {} };
    },
    open(file) {
      /** @type {() => undefined} */
      const nothing = require(file);
      let answers = 0;
      return {
        calls: CALLS,
        turn() {
          for (let i = 0; i < CALLS; i++) if (nothing() === undefined) answers++;
        },
        check(calls) {
          if (answers !== calls) throw new Error(`${calls} calls, ${answers} of them answered`);
        },
      };
    },
  },
};

/** Runs node-gyp through npm, whose configuration may name the directory of Node's headers. */
function build() {
  const arguments_ = ['exec', '--offline', '--', 'node-gyp', 'rebuild', `--directory=${folder}`];
  const { status, stderr, error } = spawnSync('npm', arguments_, {
    cwd: fileURLToPath(new URL('../../../..', import.meta.url)),
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status === 0) return;
  const why = error?.message ?? stderr.match(/gyp ERR! stack (.*)/)?.[1] ?? stderr;
  throw new Error(`node-gyp could not build bench/cases/repository-only/empty-call: ${why}`);
}
