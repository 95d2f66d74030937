/** Traces a process by bpftrace. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Collected } from './collected.js';
import { type Machine, Unavailable } from './machine.js';
import { probesOf } from './notes.js';
import type { Bpf } from './preflight.js';
import { isTraceable, knownThreadsMax, program, type Traced } from './program.js';
import type { BpfReport } from './report.js';
import type { Target } from './target.js';

export interface Asked {
  readonly seconds: number;
  readonly slowMs: number;
  /** Called with lines about the progress. */
  readonly say: (line: string) => void;
  /** Ends the tracing early: what was seen until then is reported. */
  readonly signal: AbortSignal;
}

/** bpftrace compiles and attaches within some seconds, on a busy machine within some tens. */
const attachMsMax = 90_000;
/** Taking the probes off takes seconds. */
const detachMsMax = 60_000;
const progressMs = 3_000;

/** Returns what the program is to be written for. */
export function tracedOf(
  machine: Machine,
  target: Target,
  bpf: Bpf,
  asked: Pick<Asked, 'seconds' | 'slowMs'>,
): {
  readonly traced: Traced;
  readonly notes: readonly string[];
} {
  const { pid, tids, addon } = target;
  const probes = new Set<string>();
  const notes = [...target.notes, ...bpf.notes];
  if (tids.length > knownThreadsMax) {
    notes.push(
      `of its ${tids.length} threads, ${tids.length - knownThreadsMax} are known only since they first ran in that time`,
    );
  }
  if (addon !== undefined && !isTraceable(addon)) {
    notes.push(`bpftrace cannot be given the path ${addon}: only the kernel's queues are shown`);
  } else if (addon !== undefined) {
    try {
      for (const { name } of probesOf(join(machine.root, `proc/${pid}/root`, addon))) probes.add(name);
    } catch (error) {
      notes.push(
        `the native module cannot be read (${(error as Error).message}): only the kernel's queues are shown`,
      );
    }
    if (probes.size === 0) notes.push(`${addon} has no probes: only the kernel's queues are shown`);
  }
  const secondsMax = Math.ceil(asked.seconds + (attachMsMax + detachMsMax) / 1e3);
  const slowUs = Math.round(asked.slowMs * 1e3);
  return {
    traced: {
      pid,
      tids,
      addon,
      probes,
      slowUs,
      seconds: asked.seconds,
      secondsMax,
      btf: bpf.btf,
      hasTracepoint: bpf.hasTracepoint,
    },
    notes,
  };
}

/** Runs bpftrace until the time is over, the signal aborts, or the process ends. @throws Unavailable */
export async function traceBpf(machine: Machine, target: Target, bpf: Bpf, asked: Asked): Promise<BpfReport> {
  const { traced, notes } = tracedOf(machine, target, bpf, asked);
  return await ran(program(traced), machine, target, bpf, asked, {
    notes,
    hasRing: traced.probes.has('push'),
  });
}

async function ran(
  text: string,
  machine: Machine,
  { pid }: Target,
  { bpftrace }: Bpf,
  { seconds, slowMs, say, signal }: Asked,
  { notes, hasRing }: { readonly notes: readonly string[]; readonly hasRing: boolean },
): Promise<BpfReport> {
  const child = spawn(bpftrace, ['-B', 'line', '-f', 'json', '-p', `${pid}`, '-'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      BPFTRACE_MAP_KEYS_MAX: '60000',
      BPFTRACE_PERF_RB_PAGES: '256',
      BPFTRACE_MAX_PROBES: '1024',
      BPFTRACE_MAX_BPF_PROGS: '1024',
    },
  });
  child.stdin.on('error', () => undefined); // it has ended, and says why
  child.stdin.end(text);
  let problems = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (problems.length < 10_000) problems += text;
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => undefined); // handled below, or the program has started

  const startedAt = Date.now();
  const collected = new Collected();
  const names = new Map<number, string>();
  const nameThreads = (): void => {
    for (const tid of machine.list(`proc/${pid}/task`).map(Number)) {
      const name = machine.read(`proc/${pid}/task/${tid}/comm`)?.trim();
      if (name !== undefined) names.set(tid, name);
    }
  };
  let timer: NodeJS.Timeout | undefined;
  let isTooSlow = false;
  // bpftrace takes its probes off when it is interrupted. Its child processes die with it, and so do its probes if it
  // is killed: they belong to its file descriptors.
  const end = (): void => {
    clearTimeout(timer);
    child.kill('SIGINT');
    timer = setTimeout(() => child.kill('SIGKILL'), detachMsMax);
  };
  timer = setTimeout(() => {
    isTooSlow = true;
    end();
  }, attachMsMax);
  const progress = setInterval(() => {
    if (!collected.attached) say(`still attaching, after ${Math.round((Date.now() - startedAt) / 1e3)} s`);
  }, progressMs);
  signal.addEventListener('abort', end, { once: true });
  say('compiling and attaching the probes; this takes some seconds');
  if (signal.aborted) end();

  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const before = collected.attached;
    collected.take(line);
    if (before || !collected.attached || signal.aborted) return;
    nameThreads();
    say(`tracing process ${pid} for ${seconds} s`);
    clearTimeout(timer);
    // The program ends by itself when the time is over; taking the probes off takes a while more.
    timer = setTimeout(end, seconds * 1e3 + detachMsMax);
  });
  try {
    await Promise.race([ended, failed]);
  } finally {
    clearTimeout(timer);
    clearInterval(progress);
    signal.removeEventListener('abort', end);
  }
  if (!collected.attached && !signal.aborted) {
    const said = problems.split('\n').filter((line) => line !== '' && !line.includes('RLIMIT_MEMLOCK'));
    const why = isTooSlow ? `it took more than ${attachMsMax / 1e3} s` : said.slice(0, 3).join('; ');
    throw new Unavailable(
      `bpftrace could not attach: ${why || 'it said nothing'}`,
      `see all that it says: npx sluice trace --pid ${pid} --show-program > trace.bt; bpftrace -p ${pid} trace.bt`,
    );
  }
  const found = collected.report({ pid, slowMs, notes, nameOf: (tid) => names.get(tid) ?? '' });
  const more: string[] = [];
  if (!signal.aborted && found.seconds < seconds) {
    const what = machine.has(`proc/${pid}`) ? 'bpftrace' : 'the process';
    more.push(`${what} ended before the time was over`);
  }
  if (signal.aborted) more.push('the tracing was interrupted: counts of its last moments are not complete');
  if (hasRing && found.stillInRing.count === 0 && !found.waits.some(({ kind }) => kind === 'ring')) {
    more.push(
      'no push was seen. A queue without a gate pushes in WebAssembly, where no tracer sees it, unless it was created ' +
        'with the option trace: true, or the process was started with SLUICE_WASM=off in its environment',
    );
  }
  return { ...found, notes: [...notes, ...more] };
}
