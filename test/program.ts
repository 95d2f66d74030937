import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/**
 * The binaries of Node.js to run programs with: this one, and those that `SLUICE_NODES` names (separated by colons).
 */
export const nodes: ReadonlyArray<{ node: string; name: string }> = [
  process.execPath,
  ...(process.env['SLUICE_NODES'] ?? '').split(':').filter((path) => path !== ''),
].map((node, i) => ({ node, name: i === 0 ? process.version : basename(dirname(dirname(dirname(node)))) }));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in a process of its own until it ends. A program that does not end is killed. */
export async function run(
  program: URL,
  args: readonly string[] = [],
  {
    node = process.execPath,
    execArgv = [],
    directory = process.cwd(),
    patienceMs = 50_000,
  }: {
    readonly node?: string;
    readonly execArgv?: readonly string[];
    readonly directory?: string;
    readonly patienceMs?: number;
  } = {},
): Promise<Ended> {
  const child = spawn(node, [...execArgv, fileURLToPath(program), ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

/** Fails, with all that the program wrote, unless the program ended by itself with this code and this last line. */
export function expectEnded(ended: Ended, code: number, lastLine = 'ok'): void {
  const { stdout, stderr } = ended;
  const last = stdout.trimEnd().split('\n').at(-1);
  expect({ code: ended.code, signal: ended.signal, last }, `${stdout}\n${stderr}`).toEqual({
    code,
    signal: null,
    last: lastLine,
  });
}
