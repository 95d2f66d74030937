import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tracedOf } from '../../lib/trace/bpf.js';
import { Machine, Unavailable } from '../../lib/trace/machine.js';
import { bpfOf } from '../../lib/trace/preflight.js';
import { program } from '../../lib/trace/program.js';
import { targetOf } from '../../lib/trace/target.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-machine-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, content = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
function link(path: string, to: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  rmSync(join(root, path), { force: true });
  symlinkSync(to, join(root, path));
}

/** A machine on which everything works. */
function goodMachine(): Machine {
  file('usr/bin/bpftrace');
  chmodSync(join(root, 'usr/bin/bpftrace'), 0o755);
  file('proc/self/status', 'Name:\tnode\nCapEff:\t000001ffffffffff\n');
  link('proc/self/ns/pid', 'pid:[4026531836]');
  file('sys/kernel/security/lockdown', '[none] integrity confidentiality\n');
  file('sys/kernel/tracing/events/sched/sched_switch/id', '300');
  file('sys/kernel/btf/vmlinux');
  return new Machine(root, `/nowhere:${join(root, 'usr/bin')}`, 'linux');
}

/** Returns what is missing, and what to do about it. */
function refusal(what: () => unknown): { what: string; fix: string } {
  try {
    what();
  } catch (error) {
    if (error instanceof Unavailable) return { what: error.message, fix: error.fix };
    throw error;
  }
  throw new Error('it was not refused');
}

describe('bpfOf', () => {
  it('finds bpftrace, and which tracepoints there are', () => {
    const bpf = bpfOf(goodMachine());
    expect(bpf).toMatchObject({ bpftrace: join(root, 'usr/bin/bpftrace'), btf: true, notes: [] });
    expect(bpf.hasTracepoint('sched/sched_switch')).toBe(true);
    expect(bpf.hasTracepoint('block/block_io_start')).toBe(false);
  });

  it('is content with the two capabilities that BPF needs', () => {
    const machine = goodMachine();
    file('proc/self/status', 'CapEff:\t000000c000000000\n');
    expect(bpfOf(machine).btf).toBe(true);
  });

  it.each<[string, (machine: Machine) => Machine | undefined, string, string]>([
    [
      'without bpftrace',
      () => new Machine(root, '/nowhere', 'linux'),
      'bpftrace is not on the PATH',
      'apt-get install bpftrace',
    ],
    [
      'without rights',
      () => void file('proc/self/status', 'CapEff:\t0000004000000000\n'),
      'CAP_BPF and CAP_PERFMON',
      'sudo npx sluice trace',
    ],
    [
      'in a container',
      () => void link('proc/self/ns/pid', 'pid:[4026532000]'),
      'pid namespace of its own',
      '--pid=host',
    ],
    [
      'under lockdown',
      () => void file('sys/kernel/security/lockdown', 'none integrity [confidentiality]\n'),
      'locked down',
      'lockdown=integrity',
    ],
    [
      'without tracefs',
      () => void rmSync(join(root, 'sys/kernel/tracing'), { recursive: true }),
      'tracefs is not mounted',
      'mount -t tracefs nodev /sys/kernel/tracing',
    ],
  ])('says what is missing and what to do: %s', (_, spoil, what, fix) => {
    const good = goodMachine();
    const machine = spoil(good) ?? good;
    const refused = refusal(() => bpfOf(machine));
    expect(refused.what).toContain(what);
    expect(refused.fix).toContain(fix);
  });

  it('takes tracefs where debugfs has it, and goes on under lockdown for integrity', () => {
    const machine = goodMachine();
    file('sys/kernel/security/lockdown', 'none [integrity] confidentiality\n');
    rmSync(join(root, 'sys/kernel/tracing'), { recursive: true });
    file('sys/kernel/debug/tracing/events/sched/sched_switch/id', '300');
    expect(bpfOf(machine).hasTracepoint('sched/sched_switch')).toBe(true);
  });

  it('goes on without BTF, and says what is less exact', () => {
    const machine = goodMachine();
    rmSync(join(root, 'sys/kernel/btf'), { recursive: true });
    const { btf, notes } = bpfOf(machine);
    expect(btf).toBe(false);
    expect(notes).toEqual([expect.stringContaining('no BTF')]);
  });
});

describe('targetOf', () => {
  const addon = '/srv/shop/node_modules/sluice/prebuilds/linux-x64/sluice.glibc.node';
  const mapping = (path: string): string =>
    `7f0000000000-7f0000001000 r-xp 00000000 fe:00 12 ${'/usr/lib/libc.so.6'}\n7f1000000000-7f1000001000 r-xp 00000000 fe:00 13 ${path}\n`;

  function process(pid: number, of: { name?: string; exe?: string; parent?: number; maps?: string }): void {
    const { name = 'node', exe = '/usr/bin/node', parent = 1, maps = mapping('/usr/bin/node') } = of;
    file(`proc/${pid}/stat`, `${pid} (${name}) S ${parent} 1 1 0 -1\n`);
    file(`proc/${pid}/comm`, `${name}\n`);
    file(`proc/${pid}/maps`, maps);
    link(`proc/${pid}/exe`, exe);
    for (const tid of [pid, pid + 1]) file(`proc/${pid}/task/${tid}/comm`, 'node\n');
  }
  const machine = (): Machine => new Machine(root, '', 'linux');

  it('finds the native module and the threads', () => {
    process(40, { maps: mapping(addon) });
    expect(targetOf(machine(), 40)).toEqual({ pid: 40, tids: [40, 41], addon, notes: [] });
  });

  it('says that a process without sluice shows only the queues of the kernel', () => {
    process(40, {});
    expect(targetOf(machine(), 40)).toMatchObject({
      addon: undefined,
      notes: [expect.stringContaining('no sluice')],
    });
  });

  it('does not look for probes in a module that was replaced', () => {
    process(40, { maps: mapping(`${addon} (deleted)`) });
    const { addon: found, notes } = targetOf(machine(), 40);
    expect(found).toBeUndefined();
    expect(notes).toEqual([expect.stringContaining('restart the process')]);
  });

  it.each(['bash', 'npm start', 'sh) S 1 (sh'])('names the child that uses sluice in place of %s', (name) => {
    process(40, { name, exe: name === 'npm start' ? '/usr/bin/node' : '/bin/bash' });
    process(50, { parent: 40, name: 'sh', exe: '/bin/sh' });
    process(60, { parent: 50, maps: mapping(addon) });
    process(70, { parent: 1, maps: mapping(addon) });
    expect(refusal(() => targetOf(machine(), 40))).toEqual({
      what: `process 40 (${name}) does not use sluice, but its child 60 does`,
      fix: 'npx sluice trace --pid 60',
    });
  });

  it('refuses a process that is not Node.js', () => {
    process(40, { name: 'bash', exe: '/bin/bash' });
    expect(refusal(() => targetOf(machine(), 40)).what).toContain('is bash, not Node.js');
  });

  it('refuses a process that is not there', () => {
    expect(refusal(() => targetOf(machine(), 40))).toEqual({
      what: 'there is no process 40',
      fix: 'find it with: pgrep -af node',
    });
  });

  it('refuses a process of another user', () => {
    process(40, {});
    rmSync(join(root, 'proc/40/maps'));
    expect(refusal(() => targetOf(machine(), 40))).toEqual({
      what: 'process 40 (node) belongs to another user',
      fix: expect.stringMatching(/^sudo npx sluice trace --pid 40 .*SYS_PTRACE/),
    });
  });

  it('refuses a thread, and names its process', () => {
    process(41, { maps: mapping(addon) });
    file('proc/41/status', 'Name:\tnode\nState:\tS (sleeping)\nTgid:\t40\nPid:\t41\n');
    expect(refusal(() => targetOf(machine(), 41))).toEqual({
      what: '41 is a thread of process 40',
      fix: expect.stringContaining('npx sluice trace --pid 40'),
    });
    file('proc/41/status', 'Name:\tnode\nState:\tS (sleeping)\nTgid:\t41\nPid:\t41\n');
    expect(targetOf(machine(), 41).addon).toBe(addon);
  });

  it('refuses a process that has ended, although its parent has not noticed', () => {
    process(40, { maps: '' });
    file('proc/40/status', 'Name:\tnode\nState:\tZ (zombie)\nTgid:\t40\nPid:\t40\n');
    expect(refusal(() => targetOf(machine(), 40)).what).toBe('process 40 (node) has ended');
  });

  it('refuses other systems than Linux', () => {
    expect(refusal(() => targetOf(new Machine(root, '', 'darwin'), 40)).what).toContain('this is darwin');
  });
});

describe('what the program is written for', () => {
  const bpf = { bpftrace: '/usr/bin/bpftrace', btf: true, hasTracepoint: () => true, notes: [] };
  const asked = { seconds: 5, slowMs: 5 };
  const target = (addon: string, threads = 1) => {
    return { pid: 40, tids: Array.from({ length: threads }, (_, i) => 40 + i), addon, notes: [] };
  };
  const built = fileURLToPath(new URL('../../build/Release/sluice.node', import.meta.url));

  it.each(['a:b', 'a*b', 'a"b', 'a$1', 'a\\012b', 'a[b]', 'a\u0007b'])(
    'has no probes of a module whose path would mean something else to bpftrace: %j',
    (name) => {
      const path = `/srv/${name}/sluice.node`;
      file(`proc/40/root${path}`);
      copyFileSync(built, join(root, 'proc/40/root', path));
      const { traced, notes } = tracedOf(new Machine(root, '', 'linux'), target(path), bpf, asked);
      expect(traced.probes.size).toBe(0);
      expect(notes).toContainEqual(expect.stringContaining(`cannot be given the path ${path}`));
    },
  );

  it('has the probes of a module in a folder with blanks and braces', () => {
    const path = '/srv/a b{,}/sluice.node';
    file(`proc/40/root${path}`);
    copyFileSync(built, join(root, 'proc/40/root', path));
    const { traced, notes } = tracedOf(new Machine(root, '', 'linux'), target(path), bpf, asked);
    expect(traced.probes.has('push')).toBe(true);
    expect(notes).toEqual([]);
    expect(program(traced)).toContain(`usdt:"${path}":sluice:push /pid == 40`);
  });

  it('knows 256 threads from the beginning, so that it is compiled in time, and says so', () => {
    file('proc/40/root/sluice.node');
    const { traced, notes } = tracedOf(
      new Machine(root, '', 'linux'),
      target('/sluice.node', 2_000),
      bpf,
      asked,
    );
    expect(program(traced).match(/@ours\[\d+\] = 1/g)).toHaveLength(256);
    expect(notes).toContainEqual(expect.stringContaining('of its 2000 threads, 1744 are known only'));
  });
});
