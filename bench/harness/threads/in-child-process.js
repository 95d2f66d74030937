/** Runs a measurement in a separate process, whose memory contains nothing else. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * @param {URL} file a program that sends its result to its parent process
 * @param {object} run its first argument, as JSON
 * @param {string[]} [execArgv] options of Node.js
 * @returns {Promise<any>} the result
 */
export async function inChildProcess(file, run, execArgv = []) {
  const child = fork(file, [JSON.stringify(run)], {
    execArgv,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    complaint += text;
  });
  /** @type {any} */
  let result;
  child.on('message', (message) => {
    result = message;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0 || result === undefined) {
    const reason = /^\w*Error( \[\w+\])?: .*$/m.exec(complaint)?.[0] ?? complaint.trim();
    throw new Error(`the measuring process ended with ${signal ?? code}: ${reason}`);
  }
  return result;
}
