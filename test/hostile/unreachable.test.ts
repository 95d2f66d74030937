import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expectEnded, nodes, run } from '../program.js';

/** Records are interpreted, not compiled. */
const interpreted = ['--disallow-code-generation-from-strings'];

describe.each(nodes)('code beside sluice, on $name,', ({ node }) => {
  it('reaches no native object, and survives a call of whatever it reaches', async () => {
    expectEnded(await run(new URL('programs/reach.js', import.meta.url), [], { node }), 0);
  });

  it('is handed no native memory and no native object by built-ins that it has replaced', async () => {
    expectEnded(await run(new URL('programs/patched.js', import.meta.url), [], { node }), 0);
    expectEnded(
      await run(new URL('programs/patched.js', import.meta.url), [], { node, execArgv: interpreted }),
      0,
    );
  });

  it('cannot change the code of a record, whatever it has replaced when that is made', async () => {
    expectEnded(await run(new URL('programs/compiled.js', import.meta.url), [], { node }), 0);
    expectEnded(
      await run(new URL('programs/compiled.js', import.meta.url), [], { node, execArgv: interpreted }),
      0,
    );
  });

  it('cannot be told that a gate has another limiter or queue than it was made with', async () => {
    expectEnded(await run(new URL('programs/keyed.js', import.meta.url), [], { node }), 0);
  });

  it('cannot make native code allocate for a bad size, whatever it has replaced', async () => {
    expectEnded(await run(new URL('programs/sizes.js', import.meta.url), [], { node }), 0);
  });

  it('finds that native functions survive every argument, and whatever bytes their memory holds', async () => {
    expectEnded(await run(new URL('programs/arguments.js', import.meta.url), ['1'], { node }), 0);
    expectEnded(await run(new URL('programs/arguments.js', import.meta.url), ['2'], { node }), 0);
  });

  it('is not called, by a setter on a prototype, in the middle of an answer of native code', async () => {
    expectEnded(await run(new URL('programs/prototypes.js', import.meta.url), ['setters'], { node }), 0);
  });

  it('is handed no native object by a getter on Object.prototype', async () => {
    expectEnded(await run(new URL('programs/prototypes.js', import.meta.url), ['getters'], { node }), 0);
  });

  it('takes nothing away from native code by a getter in the options that it is reading', async () => {
    expectEnded(await run(new URL('programs/prototypes.js', import.meta.url), ['own'], { node }), 0);
  });
});

it('native code gives objects own properties, and reads own ones, by the helpers of objects.h alone', () => {
  const folder = new URL('../../native/addon/', import.meta.url);
  const callsOut =
    /\.(?:Set|Get|Has|Delete|ToObject|ToNumber|ToString)\(|\bnapi_(?:set_(?:named_property|property|element)|get_(?:named_property|element|property_names)|has_(?:named_property|property|element)|coerce_\w+)\(/g;
  const found = readdirSync(folder).flatMap((file) =>
    (readFileSync(new URL(file, folder), 'utf8').match(callsOut) ?? []).map((call) => `${file}: ${call}`),
  );
  expect(found).toEqual([]);
});
