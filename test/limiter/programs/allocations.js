// allocations.js <kind of key>: asks a limiter 200,000 times and compares the size of the JavaScript heap before and
// after, with no collection in between. Anything allocated by a call would be at least 12 bytes, 2.4 MB in all. The
// least of three such rounds counts, because V8 allocates when it compiles, which it does not do in every round. Needs
// --expose-gc, and --min-semi-space-size so that a round needs no collection.
import { PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { Limiter } from 'sluice';

const calls = 200_000;
const [kind] = process.argv.slice(2);
const { gc } = globalThis;

// A thousand keys, made before anything is measured. V8 boxes the numbers of this list when it is made, unless they are
// small integers. So no call boxes one.
const text = (i) => Buffer.from(`user-${i}-of-the-test`).toString('latin1');
const makers = {
  none: () => undefined,
  'small integers': (i) => i,
  'other numbers': (i) => i + 0.5,
  strings: text,
  'strings beyond Latin-1': (i) => Buffer.from(`${text(i)}-€`).toString('utf8'),
  bigints: (i) => 2n ** 60n + BigInt(i),
  'bigints of many words': (i) => 2n ** 1_000n + BigInt(i),
};
const keys = [{}, ...Array.from({ length: 1_000 }, (_, i) => makers[kind](i))].slice(1);
const limiter = Limiter.create({
  tokenBucket: { ratePerSecond: 1e7, burst: 100 },
  slidingWindow: { limit: 150, windowMs: 1_000 },
  queueDepth: { max: 1_000_000 },
  ...(kind === 'none' ? {} : { keys: { max: 10_000 } }),
});

let allowed = 0;
function ask() {
  for (let i = 0; i < calls; i++) if (limiter.allow(keys[i % 1_000])) allowed++;
}

let collections = 0;
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});
observer.observe({ entryTypes: ['gc'] });

// Returns the bytes that one round allocates, or Infinity if the heap was collected meanwhile.
async function round() {
  gc();
  await turn();
  observer.takeRecords();
  collections = 0;
  const before = process.memoryUsage().heapUsed;
  ask();
  const grown = process.memoryUsage().heapUsed - before;
  await turn();
  return collections === 0 ? grown : Infinity;
}

for (let i = 0; i < 3; i++) ask();
const rounds = [await round(), await round(), await round()];
if (allowed === 0) throw new Error('nothing was allowed');
if (Math.min(...rounds) > 200_000) throw new Error(`${rounds} bytes more after ${calls} calls`);
console.log('ok');
