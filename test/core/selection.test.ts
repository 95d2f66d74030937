import { describe, expect, it } from 'vitest';
import { run } from '../program.js';
import { select } from './selection.js';

const known = { suites: ['ring', 'ledger'], builds: ['plain', 'asan', 'tsan'], models: ['queue', 'waiting'] };
const program = new URL('run.js', import.meta.url);

describe('the arguments of test:core', () => {
  it.each<[string, typeof known]>([
    ['', known],
    ['ring', { suites: ['ring'], builds: known.builds, models: [] }],
    ['ring ledger --build plain', { suites: ['ring', 'ledger'], builds: ['plain'], models: [] }],
    ['--build asan,tsan', { suites: known.suites, builds: ['asan', 'tsan'], models: [] }],
    ['--model queue', { suites: [], builds: [], models: ['queue'] }],
    [
      'ring --build plain --build tsan --model waiting,queue',
      { suites: ['ring'], builds: ['plain', 'tsan'], models: ['waiting', 'queue'] },
    ],
  ])('"%s" select what they name', (line, selected) => {
    const args = line === '' ? [] : line.split(' ');
    expect(select(args, known)).toEqual(selected);
  });

  it.each([
    ['rings', 'no suite is called rings'],
    ['ring --build fast,plain', 'no build is called fast'],
    ['--model ring', 'no model is called ring'],
    ['--modell queue', "Unknown option '--modell'"],
    ['--build', "'--build <value>' argument missing"],
  ])('"%s" are refused with a message about the unknown or missing name', (line, message) => {
    expect(() => select(line.split(' '), known)).toThrow(message);
  });

  it('are reported when they are unknown, and nothing is built', async () => {
    const { code, stdout, stderr } = await run(program, ['rign', '--build', 'plain']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('no suite is called rign; there are:');
    expect(stderr).toContain('  ring\n');
  });

  it('list the suites, builds and models', async () => {
    const { code, stdout } = await run(program, ['--list']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^suites:\n(.*\n)* {2}ring\n(.*\n)*builds:\n {2}plain\n(.*\n)*models:\n {2}queue\n/,
    );
  });

  it('run one suite in one build', { timeout: 300_000 }, async () => {
    const { code, stdout } = await run(program, ['lane_order', '--build', 'plain'], { patienceMs: 290_000 });
    if (stdout.includes('doctest is not installed')) return; // work on lib/ does not need doctest
    expect(stdout).toMatch(
      /^passed {2}plain {3}lane order: \d+ in .*\n.*\ntest:core: \d+ passed, 0 failed, 0 skipped\n$/,
    );
    expect(code).toBe(0);
  });
});
