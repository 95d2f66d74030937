/**
 * Makes sure that this realm has `Symbol.dispose` and `Symbol.asyncDispose`. Node.js 20 and 22 add them to the main
 * realm only: in a vm context (Jest, vitest's vmThreads) both are undefined, and every method defined by them would be
 * named 'undefined'. The symbols are those of the main realm, taken from objects on which Node.js uses them.
 */
import { Readable } from 'node:stream';
import { clearTimeout, setTimeout } from 'node:timers';

const timeout = setTimeout(() => {}, 0);
clearTimeout(timeout);

for (const [name, holder] of [
  ['dispose', Object.getPrototypeOf(timeout)],
  ['asyncDispose', Readable.prototype],
] as const) {
  if (Symbol[name] !== undefined) continue;
  const described = `Symbol.${name}`;
  const ofNode = Object.getOwnPropertySymbols(holder).find(
    ({ description }) => description === described || description === `nodejs.${name}`,
  );
  // If Node.js has none: esbuild and Babel, too, use Symbol.for(...) in place of a missing symbol.
  Object.defineProperty(Symbol, name, { value: ofNode ?? Symbol.for(described) });
}
