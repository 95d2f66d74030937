// `node --expose-gc memory.js <limiter>` asks once for each of 20,000 keys and prints the bytes for a key: the growth
// of the heap and of memory outside it, and for sluice the whole segment. It runs in its own process, so that nothing
// else grows meanwhile.
import { keysOf, limiterNamed } from './limiters.js';

const KEYS = 20_000;
const { ask, bytes } = limiterNamed(process.argv[2] ?? '')({ limit: 100, windowMs: 60_000, keys: KEYS });
const keys = keysOf(KEYS);

const used = () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
const before = used();
const promises = [];
for (const key of keys) {
  const answer = ask(key);
  if (typeof answer !== 'boolean') promises.push(answer);
  if (promises.length === 1_000) await Promise.all(promises.splice(0));
}
const grown = used() - before + (bytes?.() ?? 0);
await ask(keys[0] ?? ''); // keeps the limiter in use until here
console.log(grown / keys.length);
process.exit(); // rivals' timers would keep the process alive
