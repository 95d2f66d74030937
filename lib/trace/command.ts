/** `npx sluice trace`: see docs/guide/observability.md. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { traceBpf, tracedOf } from './bpf.js';
import { page } from './html.js';
import { Machine, printable, Unavailable } from './machine.js';
import { bpfOf } from './preflight.js';
import { traceProc } from './proc.js';
import { program } from './program.js';
import type { BpfReport, ProcReport } from './report.js';
import { type Target, targetOf } from './target.js';
import { bpfText, procText } from './text.js';

export const usage = `Usage: sluice trace --pid <number> [options]

Tells where the orders of a process that uses sluice waited: in the ring, for a processor, in a qdisc, in a block
queue. It needs Linux, root and bpftrace, and without them tells what /proc knows.

  --pid <number>      the process: the Node.js process itself, not the shell or npm that started it
  --seconds <number>  how long: more than 0, at most 3600; default 5
  --slow-ms <number>  orders that take at least this long are listed: 0 to 3600000; default 5
  --top <number>      how many of them, and of the threads of /proc: 1 to 10000; default 8
  --json              writes the report as JSON
  --html <file>       also writes it as a page, with the slowest orders as a waterfall
  --no-bpf            asks /proc only
  --show-program      writes the program for bpftrace, and does not run it
`;

interface Settings {
  readonly pid: number;
  readonly seconds: number;
  readonly slowMs: number;
  readonly top: number;
  readonly json: boolean;
  readonly html: string | undefined;
  readonly bpf: boolean;
  readonly showProgram: boolean;
}

/** A bad command line. */
class Misuse extends Error {}

/** Returns the settings; undefined: help is asked for. @throws Misuse */
export function settingsOf(args: readonly string[]): Settings | undefined {
  let values: Record<string, string | boolean | undefined>;
  try {
    const text = { type: 'string' } as const;
    const flag = { type: 'boolean' } as const;
    ({ values } = parseArgs({
      args: [...args],
      options: {
        pid: text,
        seconds: text,
        'slow-ms': text,
        top: text,
        json: flag,
        html: text,
        'no-bpf': flag,
        'show-program': flag,
        help: flag,
      },
    }));
  } catch (error) {
    throw new Misuse((error as Error).message);
  }
  if (values['help'] === true) return undefined;
  const number = (
    name: string,
    usual: number | undefined,
    accepts: (value: number) => boolean,
    what: string,
  ): number => {
    const given = values[name];
    if (given === undefined && usual !== undefined) return usual;
    const value = typeof given === 'string' && /^\d+(\.\d+)?$/.test(given) ? Number(given) : Number.NaN;
    if (!accepts(value))
      throw new Misuse(`--${name} must be ${what}, not ${given === undefined ? 'absent' : `'${given}'`}`);
    return value;
  };
  const whole = (from: number, to: number) => (value: number) =>
    Number.isInteger(value) && value >= from && value <= to;
  return {
    pid: number('pid', undefined, whole(1, 2 ** 22), 'the number of a process'),
    seconds: number('seconds', 5, (value) => value > 0 && value <= 3_600, 'more than 0 and at most 3600'),
    slowMs: number('slow-ms', 5, (value) => value >= 0 && value <= 3_600_000, 'a number from 0 to 3600000'),
    top: number('top', 8, whole(1, 10_000), 'a whole number from 1 to 10000'),
    json: values['json'] === true,
    html: values['html'] as string | undefined,
    bpf: values['no-bpf'] !== true,
    showProgram: values['show-program'] === true,
  };
}

function warn(text: string): void {
  process.stderr.write(`${text}\n`);
}

function explain({ message, fix }: Unavailable, more = ''): void {
  warn(`sluice trace: ${printable(message)}.\n  What to do: ${printable(fix)}${more}`);
}

/** Does `what` with the file of the option `--html`. @throws Unavailable */
function writing(what: () => void): void {
  try {
    what();
  } catch (error) {
    throw new Unavailable(
      `the page cannot be written: ${(error as Error).message}`,
      'name another file: --html <file>',
    );
  }
}

/**
 * Runs the command.
 *
 * @returns The exit code: 0, 1 if the process cannot be traced, 2 if the command line is wrong, 130 or 143 if a signal
 *   ended the tracing (what was seen until then is reported).
 */
export async function trace(args: readonly string[], machine: Machine = new Machine()): Promise<number> {
  let settings: Settings | undefined;
  try {
    settings = settingsOf(args);
  } catch (error) {
    if (!(error instanceof Misuse)) throw error;
    warn(`sluice trace: ${error.message}\n\n${usage}`);
    return 2;
  }
  if (settings === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  const interrupted = new AbortController();
  let code = 0;
  const onInterrupt = (): void => {
    code = 130;
    interrupted.abort();
  };
  const onTerminate = (): void => {
    code = 143;
    interrupted.abort();
  };
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
  try {
    const target = targetOf(machine, settings.pid);
    const { html } = settings;
    // Before the tracing, which may take an hour.
    if (html !== undefined) writing(() => closeSync(openSync(html, 'a')));
    const report = await reported(machine, target, settings, interrupted.signal);
    if (report === undefined) return code;
    const text = report.mode === 'bpf' ? bpfText(report, settings.top) : procText(report, settings.top);
    process.stdout.write(`${settings.json ? JSON.stringify(cut(report, settings.top)) : text}\n`);
    if (html !== undefined) writing(() => writeFileSync(html, page(report, settings.top)));
    return code;
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    explain(error);
    return 1;
  } finally {
    process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
  }
}

/** Returns the report; undefined if there is none to be written. */
async function reported(
  machine: Machine,
  target: Target,
  settings: Settings,
  signal: AbortSignal,
): Promise<BpfReport | ProcReport | undefined> {
  const { pid, seconds, showProgram } = settings;
  if (settings.bpf || showProgram) {
    try {
      const bpf = bpfOf(machine);
      if (showProgram) {
        process.stdout.write(program(tracedOf(machine, target, bpf, settings).traced));
        return undefined;
      }
      return await traceBpf(machine, target, bpf, { ...settings, say: warn, signal });
    } catch (error) {
      if (!(error instanceof Unavailable) || showProgram) throw error;
      explain(error, '\n  Meanwhile, what /proc tells:');
    }
  }
  warn(`watching process ${pid} for ${seconds} s`);
  const report = await traceProc(machine, pid, { seconds, signal });
  return { ...report, notes: [...target.notes, ...report.notes] };
}

/** The report with as many orders, or threads, as were asked for. */
function cut(report: BpfReport | ProcReport, top: number): BpfReport | ProcReport {
  return report.mode === 'bpf'
    ? { ...report, orders: report.orders.slice(0, top) }
    : { ...report, threads: report.threads.slice(0, top) };
}
