/** The process that is traced. */
import { type Machine, Unavailable } from './machine.js';

export interface Target {
  readonly pid: number;
  readonly tids: readonly number[];
  /** The path of the addon, as the process itself sees it; undefined: it is not loaded, or was replaced. */
  readonly addon: string | undefined;
  /** What a user should know of this target. */
  readonly notes: readonly string[];
}

/** Finds the process `pid`. @throws Unavailable */
export function targetOf(machine: Machine, pid: number): Target {
  if (machine.platform !== 'linux') {
    throw new Unavailable(
      `this is ${machine.platform}, and only Linux tells where a thread waits in the kernel`,
      'ask gate.stats() and queue.stats(), and perf_hooks.monitorEventLoopDelay() for the event loop',
    );
  }
  if (!machine.has(`proc/${pid}`)) {
    throw new Unavailable(`there is no process ${pid}`, 'find it with: pgrep -af node');
  }
  const name = (machine.read(`proc/${pid}/comm`) ?? '?').trim();
  checkIsAlive(machine, pid, name);
  const maps = machine.read(`proc/${pid}/maps`);
  if (maps === undefined || (maps === '' && !isKernelThread(machine, pid))) {
    throw new Unavailable(
      `process ${pid} (${name}) belongs to another user`,
      `sudo npx sluice trace --pid ${pid} (in a container also: --cap-add=SYS_PTRACE)`,
    );
  }
  const [, addon, replaced] = addonIn(maps);
  if (addon === undefined) {
    const child = descendants(machine, pid).find(
      (other) => addonIn(machine.read(`proc/${other}/maps`) ?? '')[1],
    );
    if (child !== undefined) {
      throw new Unavailable(
        `process ${pid} (${name}) does not use sluice, but its child ${child} does`,
        `npx sluice trace --pid ${child}`,
      );
    }
    if (!isNode(machine, pid, name)) {
      throw new Unavailable(
        `process ${pid} is ${name}, not Node.js, and none of its children uses sluice`,
        'give the process that runs your program: pgrep -af node',
      );
    }
  }
  const tids = machine.list(`proc/${pid}/task`).map(Number);
  if (replaced !== undefined) {
    const note =
      'the native module of sluice was replaced on disk after the process had loaded it, so its probes cannot be ' +
      'found: restart the process to see its rings and orders';
    return { pid, tids, addon: undefined, notes: [note] };
  }
  const notes = addon === undefined ? ["no sluice is loaded there: only the kernel's queues are shown"] : [];
  return { pid, tids, addon, notes };
}

/** Linux has files in /proc for threads, and for processes that have ended and whose parents do not know it yet. */
function checkIsAlive(machine: Machine, pid: number, name: string): void {
  const status = machine.read(`proc/${pid}/status`) ?? '';
  const process = /^Tgid:\s*(\d+)$/m.exec(status)?.[1];
  if (process !== undefined && process !== `${pid}`) {
    throw new Unavailable(
      `${pid} is a thread of process ${process}`,
      `npx sluice trace --pid ${process}, which has a row for each thread`,
    );
  }
  if (/^State:\s*[ZX]/m.test(status)) {
    throw new Unavailable(`process ${pid} (${name}) has ended`, 'find a running one with: pgrep -af node');
  }
}

/** The path of the addon in a list of mappings, and whether it is deleted. */
function addonIn(maps: string): RegExpExecArray | [] {
  return /(\/\S.*\/sluice(?:\.glibc|\.musl)?\.node)( \(deleted\))?$/m.exec(maps) ?? [];
}

function isNode(machine: Machine, pid: number, name: string): boolean {
  const program = machine.link(`proc/${pid}/exe`)?.split('/').at(-1) ?? name;
  return /node|electron/i.test(program);
}

function isKernelThread(machine: Machine, pid: number): boolean {
  return parentsOf(machine).get(pid) === 2 || pid === 2;
}

/** Returns the descendants of a process, nearest first. */
function descendants(machine: Machine, pid: number): number[] {
  const parents = parentsOf(machine);
  const found = [pid];
  for (const of of found) {
    for (const [child, parent] of parents) if (parent === of && !found.includes(child)) found.push(child);
  }
  return found.slice(1);
}

function parentsOf(machine: Machine): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of machine.list('proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = machine.read(`proc/${name}/stat`) ?? '';
    // The name of a process is in parentheses, and may contain anything.
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]));
  }
  return parents;
}
