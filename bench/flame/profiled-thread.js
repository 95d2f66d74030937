/**
 * A thread of the harness under V8's sampling profiler: it runs the given file, and writes the profile when the file
 * has run to its end, or when a message asks for it.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { parentPort, workerData } from 'node:worker_threads';

const SAMPLE_US = 250;

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
await session.post('Profiler.start');
parentPort?.on('message', () => void writeProfile());
await import(workerData.file);
parentPort?.removeAllListeners('message');
await writeProfile();

async function writeProfile() {
  const { profile } = await session.post('Profiler.stop');
  writeFileSync(`${workerData.profile}.part`, JSON.stringify(profile));
  renameSync(`${workerData.profile}.part`, workerData.profile);
}
