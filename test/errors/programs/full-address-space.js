// Makes calls that need much memory while the process can get no more. Each is refused with a typed error, leaves
// nothing behind, and succeeds once there is memory again. The program starts itself again with a bound on its address
// space.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bytes, Gate, Limiter, Queue, record, Stock, u32 } from 'sluice';

if (process.argv[2] !== 'bounded') {
  const gigabytes = 4;
  const command = `ulimit -v ${gigabytes * 2 ** 20} && exec "$0" "$@"`;
  const args = ['-c', command, process.execPath, fileURLToPath(import.meta.url), 'bounded'];
  const { status, signal, stdout, stderr } = spawnSync('sh', args, { encoding: 'utf8' });
  process.stderr.write(stderr);
  console.log(signal ?? stdout.trimEnd());
  process.exit(status ?? 1);
}

const users = 2 ** 20;
const stock = Stock.create({
  items: [{ sku: 1, quantity: 2 * users, perUser: 2 }],
  maxReservations: 2 * users,
  maxUsers: 2 * users,
});
for (let user = 1; user <= users; user++) {
  if (!stock.reserve({ sku: 1, quantity: 1, user }).ok) throw new Error(`user ${user} got nothing`);
}
const octets = stock.snapshot();
// The records are large, so that a gate's table of orders in hand takes more than 16 MiB.
const Order = record({ sku: u32, quantity: u32, user: u32, note: bytes(512) });
const queue = Queue.create(Order, { capacity: 2 ** 16 });
const maxInHand = 2 ** 16;

const attempts = {
  gate: () =>
    Gate.create({ queue, stock, maxInHand, fields: { sku: 'sku', quantity: 'quantity', user: 'user' } }),
  snapshot: () => stock.snapshot(),
  audit: () => stock.audit(),
  restore: () => Stock.restore(octets),
};

/** Takes up the address space with limiters, each as large as still fits, down to one of at most 16 MiB. */
function fill() {
  const ballast = [];
  const tokenBucket = { ratePerSecond: 1, burst: 1 };
  for (let max = 2 ** 22; ; ) {
    try {
      const limiter = Limiter.create({ tokenBucket, keys: { max } });
      ballast.push(limiter);
      if (limiter.stats().bytes <= 2 ** 24) return ballast;
    } catch (error) {
      if (error.code !== 'ERR_SLUICE_MEMORY') throw error;
      max /= 2;
    }
  }
}

const ballast = fill();
for (const [name, attempt] of Object.entries(attempts)) {
  for (let i = 0; i < 3; i++) {
    let error;
    try {
      attempt();
    } catch (thrown) {
      error = thrown;
    }
    if (error?.code !== 'ERR_SLUICE_MEMORY') throw error ?? new Error(`${name}: the system had the memory`);
  }
  // The failed call has not left the ledger paused: other calls go on.
  const reserved = stock.reserve({ sku: 1, quantity: 1, user: 1 });
  if (!reserved.ok || stock.cancel(reserved.reservation) !== 'cancelled') throw new Error(`${name}: reserve`);
}
for (const limiter of ballast) limiter[Symbol.dispose]();
const made = Object.entries(attempts).map(([name, attempt]) => [name, attempt()]);
const { gate, restore } = Object.fromEntries(made);
if (gate.admit({ sku: 1, quantity: 1, user: 1, note: new Uint8Array(9) }).outcome !== 'admitted')
  throw new Error('not admitted');
if (restore.counts(1).reserved !== users) throw new Error('the restored ledger is another');
console.log('ok');
