/** Runs the shop, and `sluice trace` beside it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { BpfReport, ProcReport } from '../../lib/trace/report.js';

const sluice: string = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
const programs = {
  shop: new URL('programs/shop.js', import.meta.url),
  client: new URL('programs/client.js', import.meta.url),
  book: new URL('programs/book.js', import.meta.url),
};

/** Runs a command that must succeed, and returns what it prints. */
export function command(line: string): string {
  const [name = '', ...args] = line.split(' ');
  return execFileSync(name, args, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs commands that may fail, such as those that clean up. */
export function attempt(...lines: readonly string[]): void {
  for (const line of lines) {
    try {
      command(line);
    } catch {
      // there was nothing to clean up
    }
  }
}

export interface Shop {
  readonly pid: number;
  readonly port: number;
  /** The numbers of the threads that admit and consume. */
  readonly main: number;
  readonly consumer: number;
  /** Sends orders to '/' or '/durable', and returns how many were admitted. `begun`: called when the first one is. */
  orders(count: number, everyMs: number, path: string, begun?: () => void): Promise<number>;
  book(): Promise<Array<{ reservation: string; us: number }>>;
  stop(): Promise<void>;
}

/** Starts the shop. `within`: words before its command, such as `ip netns exec name`. */
export async function shop(settings: object, within: readonly string[] = []): Promise<Shop> {
  const started = (program: URL, given: object): ChildProcess => {
    const [name = '', ...args] = [...within, process.execPath, fileURLToPath(program), JSON.stringify(given)];
    return spawn(name, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  };
  const ended = async (child: ChildProcess): Promise<string> => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    return text;
  };
  const server = started(programs.shop, settings);
  const gone = once(server, 'close');
  const [line] = (await once(createInterface({ input: server.stdout as NodeJS.ReadableStream }), 'line')) as [
    string,
  ];
  const { pid, port, main, consumer } = JSON.parse(line);
  return {
    pid,
    port,
    main,
    consumer,
    orders: async (count, everyMs, path, begun) => {
      const client = started(programs.client, { port, path, count, everyMs });
      if (begun !== undefined) client.stdout?.once('data', begun);
      return Number((await ended(client)).trim().split('\n').at(-1));
    },
    book: async () => JSON.parse(await ended(started(programs.book, { port }))),
    stop: async () => {
      server.kill('SIGKILL');
      await gone;
    },
  };
}

/** A running `sluice trace`. */
export interface Tracer {
  readonly child: ChildProcess;
  /** Resolves when it traces. */
  readonly begun: Promise<void>;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

export function tracer(args: readonly string[]): Tracer {
  const child = spawn(process.execPath, [sluice, 'trace', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  let begin: (() => void) | undefined;
  const begun = new Promise<void>((resolve, reject) => {
    begin = resolve;
    child.once('close', () => reject(new Error(`the tracer ended before it began: ${stderr}`)));
  });
  begun.catch(() => undefined); // a test may wait for the end only
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (/^(tracing|watching) process/m.test(stderr)) begin?.();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, begun, ended };
}

/** Traces the shop for some seconds, in which `during` runs. */
export async function traced<Mode extends 'bpf' | 'proc'>(
  { pid }: Shop,
  mode: Mode,
  seconds: number,
  during: () => Promise<unknown>,
): Promise<Mode extends 'bpf' ? BpfReport : ProcReport> {
  const more = mode === 'proc' ? ['--no-bpf'] : [];
  const limits = ['--seconds', `${seconds}`, '--top', '10000', '--slow-ms', '0'];
  const running = tracer(['--pid', `${pid}`, '--json', ...limits, ...more]);
  await running.begun;
  await during();
  const { code, stdout, stderr } = await running.ended;
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout);
  expect(report, stderr).toMatchObject({ mode, pid });
  return report;
}

/** Computes on a processor until it is stopped, so that other threads there wait. */
export function busy(processor: number, priority: readonly string[] = []): { stop: () => Promise<void> } {
  const [name = '', ...args] = [
    ...priority,
    'taskset',
    '-c',
    `${processor}`,
    'sh',
    '-c',
    'while :; do :; done',
  ];
  const child = spawn(name, args, { stdio: 'ignore', timeout: 30_000, killSignal: 'SIGKILL' });
  return {
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

/** Binds a thread to a processor. */
export function pin(tid: number, processor: number): void {
  command(`taskset -p -c ${processor} ${tid}`);
}
