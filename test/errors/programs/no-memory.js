// Asks for more memory than the process may have. The program starts itself again with a bound on its address space.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Gate, Queue, record, Stock, u8, utf8 } from 'sluice';

if (process.argv[2] !== 'bounded') {
  const gigabytes = 4;
  const command = `ulimit -v ${gigabytes * 2 ** 20} && exec "$0" "$@"`;
  const { status, signal, stdout, stderr } = spawnSync(
    'sh',
    ['-c', command, process.execPath, fileURLToPath(import.meta.url), 'bounded'],
    { encoding: 'utf8' },
  );
  process.stderr.write(stderr);
  console.log(signal ?? stdout.trimEnd());
  process.exit(status ?? 1);
}

const Wide = record({ text: utf8(60_000) });
const Narrow = record({ number: u8 });
const attempts = {
  queue: () => Queue.create(Wide, { capacity: 2 ** 24 }),
  stock: () =>
    Stock.create({
      items: [{ sku: 1, quantity: 1 }],
      maxReservations: 2 ** 24,
      maxUsers: 2 ** 26,
      maxIds: 2 ** 26,
    }),
};
for (const [name, attempt] of Object.entries(attempts)) {
  try {
    attempt();
  } catch (error) {
    if (error.code !== 'ERR_SLUICE_MEMORY') throw error;
    continue;
  }
  throw new Error(`${name}: the system had the memory`);
}
// Existing objects still work.
const queue = Queue.create(Narrow, { capacity: 4 });
const gate = Gate.create({ queue });
if (gate.admit({ number: 1 }).outcome !== 'admitted') throw new Error('not admitted');
console.log('ok');
