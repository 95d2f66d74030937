/**
 * Traces a process by /proc alone, which needs no rights and works in containers. The sums are exact; how long single
 * waits took is known only as far as the samples tell.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Machine, Unavailable } from './machine.js';
import type { ProcReport, ThreadRow } from './report.js';

const sampleMs = 20;

interface ThreadSample {
  readonly name: string;
  /** Nanoseconds on a processor, and runnable without one; and how often it got one. */
  readonly run: number;
  readonly wait: number;
  readonly turns: number;
  readonly majorFaults: number;
}

interface Sample {
  readonly at: bigint;
  readonly threads: ReadonlyMap<number, ThreadSample>;
  readonly cpu: number | undefined;
  readonly io: number | undefined;
  readonly retransmits: number | undefined;
  readonly listenOverflows: number | undefined;
}

/** Watches the process until the time is over, the signal aborts, or the process ends. @throws Unavailable */
export async function traceProc(
  machine: Machine,
  pid: number,
  { seconds, signal }: { readonly seconds: number; readonly signal: AbortSignal },
): Promise<ProcReport> {
  const first = sampleOf(machine, pid);
  if (first.threads.size === 0)
    throw new Unavailable(`process ${pid} has ended`, 'find a running one with: pgrep -af node');
  const began = new Map(first.threads);
  const notes: string[] = [];
  const longest = new Map<number, number>();
  const until = first.at + BigInt(Math.round(seconds * 1e9));
  let last = first;
  while (last.at < until && !signal.aborted) {
    await sleep(sampleMs, undefined, { signal }).catch(() => undefined);
    const next = sampleOf(machine, pid);
    if (next.threads.size === 0) {
      notes.push('the process ended before the time was over');
      break;
    }
    for (const [tid, thread] of next.threads) {
      const before = last.threads.get(tid);
      if (before === undefined) began.set(tid, began.get(tid) ?? thread);
      // The kernel counts a wait when it ends, all of it at once.
      const waited = (thread.wait - (before?.wait ?? thread.wait)) / 1e6;
      longest.set(tid, Math.max(longest.get(tid) ?? 0, waited));
    }
    last = next;
  }
  const ns = Number(last.at - first.at);
  const threads = [...last.threads].map(([tid, now]): ThreadRow => {
    const then = began.get(tid) ?? now;
    return {
      tid,
      name: now.name,
      runMs: (now.run - then.run) / 1e6,
      runQueueMs: (now.wait - then.wait) / 1e6,
      turns: now.turns - then.turns,
      longestMs: longest.get(tid) ?? 0,
      majorFaults: now.majorFaults - then.majorFaults,
    };
  });
  const difference = (name: 'cpu' | 'io' | 'retransmits' | 'listenOverflows', per = 1): object => {
    const [then, now] = [first[name], last[name]];
    return then === undefined || now === undefined || ns === 0 ? {} : { [name]: (now - then) / per };
  };
  if (!machine.has('proc/self/schedstat')) {
    notes.push(
      'this kernel has no schedstat (CONFIG_SCHED_INFO): it does not tell how long threads wait for a processor',
    );
  }
  return {
    mode: 'proc',
    pid,
    seconds: ns / 1e9,
    threads: threads.sort((a, b) => b.runQueueMs - a.runQueueMs),
    // The kernel counts microseconds.
    pressure: { ...difference('cpu', ns / 1e3), ...difference('io', ns / 1e3) },
    ...difference('retransmits'),
    ...difference('listenOverflows'),
    notes,
  };
}

function sampleOf(machine: Machine, pid: number): Sample {
  const threads = new Map<number, ThreadSample>();
  for (const tid of machine.list(`proc/${pid}/task`)) {
    const folder = `proc/${pid}/task/${tid}`;
    const [run = 0, wait = 0, turns = 0] = (machine.read(`${folder}/schedstat`) ?? '').split(' ').map(Number);
    const stat = machine.read(`${folder}/stat`);
    if (stat === undefined) continue;
    // After the name, which is in parentheses and may contain anything: the state, and from there on numbers.
    const majorFaults = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[9] ?? 0);
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    threads.set(Number(tid), { name, run, wait, turns, majorFaults });
  }
  return {
    at: process.hrtime.bigint(),
    threads,
    cpu: pressure(machine, 'cpu'),
    io: pressure(machine, 'io'),
    retransmits: counter(machine.read(`proc/${pid}/net/snmp`), 'Tcp:', 'RetransSegs'),
    listenOverflows: counter(machine.read(`proc/${pid}/net/netstat`), 'TcpExt:', 'ListenOverflows'),
  };
}

/** For how long some task of the machine has waited, in microseconds since its start. */
function pressure(machine: Machine, what: string): number | undefined {
  const total = /^some .*total=(\d+)/m.exec(machine.read(`proc/pressure/${what}`) ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Reads a counter of a table of two lines, of names and of values, that begin with the same word. */
function counter(text: string | undefined, table: string, name: string): number | undefined {
  const [names, values] = (text ?? '').split('\n').filter((line) => line.startsWith(table));
  const at = names?.split(' ').indexOf(name) ?? -1;
  const value = values?.split(' ')[at];
  return value === undefined ? undefined : Number(value);
}
