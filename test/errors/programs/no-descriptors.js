// Starts waits while the process has no file descriptor left. Each fails with a typed error, and succeeds once there
// are descriptors again. The program starts itself again with a bound on its descriptors.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Limiter, Queue, record, u8 } from 'sluice';

if (process.argv[2] !== 'bounded') {
  const args = ['-c', 'ulimit -n 128 && exec "$0" "$@"', process.execPath];
  const { status, signal, stdout, stderr } = spawnSync(
    'sh',
    [...args, fileURLToPath(import.meta.url), 'bounded'],
    { encoding: 'utf8' },
  );
  process.stderr.write(stderr);
  console.log(signal ?? stdout.trimEnd());
  process.exit(status ?? 1);
}

const One = record({ number: u8 });
function fullQueue() {
  const queue = Queue.create(One, { capacity: 2 });
  while (queue.tryPush({ number: 1 }));
  return queue;
}
function busyLimiter() {
  const limiter = Limiter.create({ queueDepth: { max: 1 } });
  if (!limiter.allow()) throw new Error('refused');
  return limiter;
}

// Each wait uses its own object, on which nothing has waited yet. Each function begins a wait, and returns its promise
// and a function that lets the wait end.
const waits = {
  push: (queue) => [queue.push({ number: 2 }), () => queue.tryPop()],
  reserve: (queue) => [queue.reserve(1), () => queue.tryPop()],
  empty: (queue) => [
    queue.empty(),
    () => {
      while (queue.tryPop() !== undefined);
    },
  ],
  closed: (queue) => [new Promise((resolve) => queue.on('closed', resolve)), () => queue.close()],
  pushSync: (queue) => [
    new Promise((resolve, reject) => {
      if (queue.pushSync({ number: 2 }, 20)) reject(new Error('pushed to a full queue'));
      resolve();
    }),
    () => {},
  ],
};
const subjects = Object.entries(waits).map(([name, wait]) => ({ name, wait, subject: fullQueue() }));
subjects.push({
  name: 'acquire',
  wait: (limiter) => [limiter.acquire(), () => limiter.release()],
  subject: busyLimiter(),
});

const taken = [];
for (let full = false; !full; ) {
  try {
    taken.push(openSync('/dev/null'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
    full = true;
  }
}

async function failure(name, begin) {
  try {
    await begin();
  } catch (error) {
    if (error.code !== 'ERR_SLUICE_MEMORY') throw error;
    return;
  }
  throw new Error(`${name}: was given a descriptor`);
}
for (let i = 0; i < 3; i++) {
  await failure('create', () => Queue.create(One, { capacity: 2 }));
  for (const { name, wait, subject } of subjects) await failure(name, () => wait(subject)[0]);
}
for (const { name, subject } of subjects) {
  const { waiting } = subject.stats();
  if (waiting !== 0) throw new Error(`${name}: ${waiting} wait`);
}

for (const descriptor of taken) closeSync(descriptor);
for (const { name, wait, subject } of subjects) {
  const [waited, end] = wait(subject);
  end();
  const ended = await Promise.race([
    waited.then(() => 'ended'),
    new Promise((resolve) => setTimeout(resolve, 20_000, 'never').unref()),
  ]);
  if (ended !== 'ended') throw new Error(`${name}: ${ended}`);
}

// A queue gives its descriptors back as soon as it is disposed of, not only when the object is collected.
const descriptors = () => readdirSync('/proc/self/fd').length;
const before = descriptors();
const disposed = Array.from({ length: 8 }, fullQueue);
for (const queue of disposed) {
  const waits = queue.push({ number: 2 });
  queue.tryPop();
  await waits;
  queue[Symbol.dispose]();
}
if (descriptors() !== before) throw new Error(`${descriptors()} descriptors, ${before} before`);
console.log('ok');
