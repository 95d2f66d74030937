/**
 * Evaluates sluice's own modules in a vm context whose timer functions return numbers, as those of jsdom do, and not
 * timers of Node.js. With the argument `no-strings`, the context generates no code from strings.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const { SourceTextModule, SyntheticModule } = /** @type {any} */ (vm);
const noTimers = () => 1;
const strings = process.argv[2] !== 'no-strings';
const globals = {
  say: console.log,
  setTimeout: noTimers,
  setInterval: noTimers,
  clearTimeout: noTimers,
  clearInterval: noTimers,
  AbortSignal,
  AbortController,
  queueMicrotask,
};
const context = vm.createContext(globals, { codeGeneration: { strings } });
/** @type {Map<string, any>} */
const modules = new Map();
/** @type {Map<string, { exports: any }>} */
const loaded = new Map();

/** Loads a CommonJS module in the context, as Jest does. @param {string} file @returns {any} */
function load(file) {
  const known = loaded.get(file);
  if (known !== undefined) return known.exports;
  const own = createRequire(file);
  if (!file.endsWith('.js')) return own(file);
  const module = { exports: vm.runInContext('({})', context) };
  loaded.set(file, module);
  const names = ['exports', 'require', 'module', '__filename', '__dirname'];
  const wrapper = `(function (${names}) {${readFileSync(file, 'utf8')}\n})`;
  /** @param {string} name */
  const require = (name) => (name.startsWith('.') ? load(own.resolve(name)) : own(name));
  const evaluate = vm.runInContext(wrapper, context, { filename: file });
  evaluate(module.exports, require, module, file, dirname(file));
  return module.exports;
}

/** @param {string} specifier @param {{ identifier: string }} from */
async function link(specifier, from) {
  const url = new URL(specifier, from.identifier);
  const known = modules.get(url.href);
  if (known !== undefined) return known;
  if (url.pathname.endsWith('.mjs')) return add(url.href, readFileSync(url, 'utf8'));
  const exported = load(fileURLToPath(url));
  const module = new SyntheticModule(
    Object.keys(exported),
    function () {
      for (const key of Object.keys(exported)) this.setExport(key, exported[key]);
    },
    { context, identifier: url.href },
  );
  modules.set(url.href, module);
  return module;
}
/** @param {string} identifier @param {string} source */
function add(identifier, source) {
  const module = new SourceTextModule(source, { context, identifier });
  modules.set(identifier, module);
  return module;
}

const program = add(
  new URL('./program-in-context.js', import.meta.url).href,
  `
  import { Gate, Limiter, ManualClock, Queue, record, Stock, u32 } from '../../../dist/index.mjs';
  const Order = record({ sku: u32, quantity: u32 });
  const queue = Queue.create(Order, { capacity: 4 });
  const slidingWindow = [{ limit: 9, windowMs: 1_000 }, { limit: 99, every: 'day' }];
  const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 10, burst: 10 }, slidingWindow });
  const stock = Stock.create({ items: [{ sku: 1, quantity: 9 }], maxReservations: 8, maxUsers: 8, maxIds: 8 });
  const gate = Gate.create({ queue, limiter, stock, fields: { sku: 'sku', quantity: 'quantity' } });
  const plain = (name, value) => {
    const own = Array.isArray(value) ? Array.prototype : Object.prototype;
    if (Object.getPrototypeOf(value) !== own) throw new Error(name + ' is of another realm');
    for (const [key, member] of Object.entries(value)) {
      if (typeof member === 'object' && member !== null) plain(name + '.' + key, member);
    }
  };
  const admission = gate.admit({ sku: 1, quantity: 1 });
  if (admission.outcome !== 'admitted') throw new Error(admission.outcome);
  plain('queue.stats', queue.stats());
  plain('limiter.stats', limiter.stats());
  plain('limiter.limits', limiter.limits());
  plain('stock.stats', stock.stats());
  plain('stock.counts', stock.counts(1));
  plain('stock.audit', stock.audit());
  plain('gate.stats', gate.stats());
  plain('queue.handle', queue.handle);
  plain('record', queue.tryPop());
  const batcher = queue.batcher();
  const permit = queue.tryReserve(1);
  for (const object of [batcher, permit, gate, stock, limiter, queue]) {
    if (Object.getOwnPropertyNames(Object.getPrototypeOf(object)).includes('undefined')) throw new Error('undefined()');
    object[Symbol.dispose]();
  }
  const second = Queue.create(Order, { capacity: 4 });
  await second[Symbol.asyncDispose]();
  let compiles = true;
  try {
    new Function('');
  } catch {
    compiles = false;
  }
  if (compiles !== ${strings}) throw new Error('new Function works: ' + compiles);
  say('ok');
  `,
);
await program.link(link);
await program.evaluate();
