// Writes which order it is given, and how often that is, and the same when it has handled it. Handles all of them with
// 'drain'; with 'run', only the first ones.
import { openSync, writeSync } from 'node:fs';
import { lastHandled } from './work.js';

let log;
let handles;

export function setup({ path, mode }) {
  log = openSync(path, 'a');
  handles = mode === 'drain';
}

export default async function handle({ id }, hold) {
  writeSync(log, `${JSON.stringify(['begun', id, hold.deliveries])}\n`);
  if (!handles && id > lastHandled) await new Promise(() => {});
  writeSync(log, `${JSON.stringify(['handled', id, hold.deliveries])}\n`);
}
