// Makes a queue that cannot use WebAssembly, for the reason that the argument names, and uses it.
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { bytes, Queue, record, u32 } from 'sluice';

const [why = ''] = process.argv.slice(2);
if (why === 'off') process.env['SLUICE_WASM'] = 'off';
if (why === 'no address space') {
  // Enough for Node.js, but not for the arena and a window on it, of 1 GiB each.
  const limited = `ulimit -v 2400000 && exec "$0" "$@"`;
  const self = [process.execPath, fileURLToPath(import.meta.url), 'limited'];
  process.stdout.write(execFileSync('/bin/sh', ['-c', limited, ...self]));
  process.exit();
}
const Row = record({ number: u32 });
/** @type {Record<string, object>} */
const options = {
  latency: { latency: true },
  trace: { trace: true },
  ttlMs: { ttlMs: 60_000 },
  shed: { shed: {} },
};
const Large = record({ octets: bytes(65_000) });
const queue =
  why === 'large'
    ? Queue.create(Large, { capacity: 40_000 }) // 4 GiB; a page is touched for each record
    : Queue.create(Row, { capacity: 8, ...options[why] });
if (queue.stats().path !== 'native') throw new Error('it uses WebAssembly');
const row = /** @type {any} */ (why === 'large' ? { octets: Uint8Array.of(7) } : { number: 7 });
const seen = [];
queue.tryPush(row);
queue.tryPushMany([row, row, row]);
seen.push(queue.tryPop());
queue.drain((view) => seen.push(view.toObject()), 1);
queue.drain((view) => seen.push(view.toObject()));
if (JSON.stringify(seen) !== JSON.stringify([row, row, row, row])) throw new Error(JSON.stringify(seen));
console.log('ok');
