import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { settingsOf, usage } from '../../lib/trace/command.js';
import { run } from '../program.js';
import { tracer } from './traced.js';

const sluice = new URL('../../bin/sluice.js', import.meta.url);
const command = (...args: readonly string[]): ReturnType<typeof run> => run(sluice, ['trace', ...args]);

describe('the command line', () => {
  it('has the defaults that its help names', () => {
    expect(settingsOf(['--pid', '40'])).toEqual({
      pid: 40,
      seconds: 5,
      slowMs: 5,
      top: 8,
      json: false,
      html: undefined,
      bpf: true,
      showProgram: false,
    });
    for (const option of ['seconds', 'slow-ms', 'top'])
      expect(usage).toMatch(new RegExp(`--${option} .*\\n?.*default`));
  });

  it.each([
    [[], '--pid must be the number of a process, not absent'],
    [['--pid', 'node'], "--pid must be the number of a process, not 'node'"],
    [['--pid', '0'], '--pid'],
    [['--pid', '1.5'], '--pid'],
    [['--pid', '1', '--seconds', '0'], '--seconds must be more than 0'],
    [['--pid', '1', '--seconds', '1e3'], '--seconds'],
    [['--pid', '1', '--seconds', 'Infinity'], '--seconds'],
    [['--pid', '1', '--slow-ms', '3600001'], '--slow-ms'],
    [['--pid', '1', '--top', '0'], '--top'],
    [['--pid', '1', '--sceonds', '5'], '--sceonds'],
    [['--pid', '1', 'more'], 'more'],
  ])('is refused with what is wrong: %j', (args, message) => {
    expect(() => settingsOf(args)).toThrow(message);
  });

  it('exits with 2 and the usage if it is wrong, with 0 for --help, with 1 for a process that is not there', async () => {
    expect(await command('--pid', 'x')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining(usage),
    });
    expect(await command('--help')).toMatchObject({ code: 0, stdout: usage, stderr: '' });
    expect(await command('--pid', `${2 ** 22}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('What to do: '),
    });
  });
});

describe.runIf(process.platform === 'linux')('without BPF', () => {
  it('says at once that a page cannot be written, and watches nothing', async () => {
    const html = join(tmpdir(), 'there-is-no-such-folder', 'trace.html');
    const ended = await command('--pid', `${process.pid}`, '--seconds', '600', '--no-bpf', '--html', html);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^sluice trace: the page cannot be written: ENOENT.*\n {2}What to do: /);
    expect(ended.stderr).not.toContain('    at ');
  });

  it('ends without an error when the reader of its report has gone', async () => {
    const running = tracer(['--pid', `${process.pid}`, '--seconds', '0.3', '--no-bpf']);
    running.child.stdout?.destroy();
    expect(await running.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('EPIPE') });
  });

  it('reports what it saw of a process that ends meanwhile, and says so', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1_000)'], { stdio: 'ignore' });
    const running = tracer(['--pid', `${child.pid}`, '--seconds', '600', '--no-bpf', '--json']);
    await running.begun;
    child.kill('SIGKILL');
    const { code, stdout } = await running.ended;
    expect(code).toBe(0);
    const { seconds, notes } = JSON.parse(stdout);
    expect(seconds).toBeLessThan(600);
    expect(notes).toEqual([
      expect.stringContaining('no sluice is loaded'),
      'the process ended before the time was over',
    ]);
  });

  it('tells what /proc knows, as text, JSON and a page', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-trace-'));
    try {
      const html = join(folder, 'trace.html');
      const args = ['--pid', `${process.pid}`, '--seconds', '0.2', '--no-bpf'];
      const text = await command(...args, '--html', html);
      expect(text).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(new RegExp(`^${process.pid} `, 'm')),
      });
      expect(readFileSync(html, 'utf8')).toContain(`sluice trace of process ${process.pid}`);
      const { code, stdout } = await command(...args, '--json');
      expect(code).toBe(0);
      const report = JSON.parse(stdout);
      expect(report).toMatchObject({ mode: 'proc', pid: process.pid });
      expect(report.threads.length).toBeGreaterThan(0);
      expect(report.threads.length).toBeLessThanOrEqual(8);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
