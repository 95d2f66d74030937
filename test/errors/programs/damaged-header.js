// Changes the headers of segments in this process's own memory, which Linux shows as a file, and attaches. Prints one
// line of JSON: the outcome for each kind of object and each field that was changed.
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { Gate, Limiter, Queue, record, Stock, u8, u32 } from 'sluice';

// native/core/base/segment.h
const magic = Buffer.from([0x01, 0x00, ...Buffer.from('sluice')]);
const kinds = { queue: 1, limiter: 2, stock: 3, gate: 4 };
const header = { magic: 0, version: 8, kind: 12, bytes: 16, layout: 24, schema: 32 };
const shape = 128;
const page = 4096;

// Only private memory is searched, so the queue must not lie in the arena.
process.env['SLUICE_WASM'] = 'off';

const Order = record({ sku: u32, quantity: u8 });
const fields = { sku: 'sku', quantity: 'quantity' };
const queue = Queue.create(Order, { capacity: 50 });
const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1, burst: 1 }, keys: { max: 100 } });
const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }] });
const gate = Gate.create({ queue, limiter, stock, fields });
const attach = {
  queue: () => Queue.attach(Order, queue.handle),
  limiter: () => Limiter.attach(limiter.handle),
  stock: () => Stock.attach(stock.handle),
  gate: () => Gate.attach(Order, gate.handle),
};
/**
 * The offset, in the shape of each kind, of a number on which the size of the object depends: the number of records,
 * keys, items, or orders in hand.
 */
const sizes = { queue: 0, limiter: 16, stock: 0, gate: 52 };

const memory = openSync('/proc/self/mem', 'r+');
const found = segments();
/** @type {Record<string, Record<string, string>>} */
const outcomes = {};
for (const [kind, number] of Object.entries(kinds)) {
  const base = found.get(number);
  if (base === undefined) throw new Error(`no segment of a ${kind} in ${[...found.keys()]}`);
  outcomes[kind] = { nothing: outcome(kind) };
  for (const [field, at] of Object.entries({ ...header, shape: shape + sizes[kind] })) {
    flip(base + at);
    outcomes[kind][field] = outcome(kind);
    flip(base + at);
  }
  outcomes[kind].restored = outcome(kind);
}
closeSync(memory);
console.log(JSON.stringify(outcomes));

/** Returns the addresses of the segments, by their kinds. */
function segments() {
  const bases = new Map();
  const chunk = Buffer.alloc(256 * page);
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw.p /.exec(line) ?? [];
    if (from === undefined) continue;
    for (let at = Number.parseInt(from, 16); at < Number.parseInt(to, 16); at += chunk.length) {
      const length = Math.min(chunk.length, Number.parseInt(to, 16) - at);
      const read = readSync(memory, chunk, 0, length, at);
      for (let begin = 0; begin < read; begin += page) {
        if (!chunk.subarray(begin, begin + magic.length).equals(magic)) continue;
        bases.set(chunk.readUInt32LE(begin + header.kind), at + begin);
      }
      chunk.fill(0); // so that no copy of a header is found in this buffer
    }
  }
  return bases;
}

/** Changes the lowest bit of an octet. */
function flip(address) {
  const octet = Buffer.alloc(1);
  readSync(memory, octet, 0, 1, address);
  octet[0] ^= 1;
  writeSync(memory, octet, 0, 1, address);
}

function outcome(kind) {
  try {
    attach[kind]()[Symbol.dispose]();
    return 'attached';
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}
