/** The processes of the traps. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs Node.js until it ends.
 * @param {string[]} args
 * @param {number} patienceMs a process that takes longer is killed
 * @returns {Promise<{ code: number | null, signal: NodeJS.Signals | null, output: string, errors: string }>}
 */
export async function runNode(args, patienceMs) {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: patienceMs,
    killSignal: 'SIGKILL',
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, output, errors };
}
