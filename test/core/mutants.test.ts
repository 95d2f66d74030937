import { describe, expect, it } from 'vitest';
import { mutantsOf } from './mutants.js';

const relaxed = 'std::memory_order_relaxed';
const acquire = 'std::memory_order_acquire';

describe('Weakened memory orders', () => {
  it('are all in one copy, each active by its number only', () => {
    const lock = 'locked.store(0, std::memory_order_release);  // std::memory_order_release\n';
    const words = `a.load(${acquire}) + b.exchange(0, std::memory_order_acq_rel) + c.load(${relaxed});\n`;
    const { mutants, copies } = mutantsOf(
      new Map([
        ['core/lock.h', `\n${lock}`],
        ['core/words.h', words],
      ]),
    );
    expect(mutants.map(({ number, header, name }) => `${number} ${header} ${name}`)).toEqual([
      '1 core/lock.h lock.h:2 release -> relaxed',
      '2 core/words.h words.h:1 acquire -> relaxed',
      '3 core/words.h words.h:1 acq_rel -> acquire',
      '4 core/words.h words.h:1 acq_rel -> release',
    ]);
    expect(withWeakened(copies.get('core/words.h') ?? '', 0)).toBe(words);
    const words3 = words.replace('acq_rel', 'acquire');
    const words4 = words.replace('acq_rel', 'release');
    const copy = copies.get('core/words.h') ?? '';
    expect([2, 3, 4].map((number) => withWeakened(copy, number))).toEqual([
      words.replace('acquire', 'relaxed'),
      words3,
      words4,
    ]);
    expect(withWeakened(copies.get('core/lock.h') ?? '', 1)).toBe(`\n${lock.replace('release', 'relaxed')}`);
  });

  it.each([
    ['A::fence(std::memory_order_seq_cst);', 'acq_rel'],
    ['a.load(std::memory_order_seq_cst);', 'acquire'],
    ['a.store(1, std::memory_order_seq_cst);', 'release'],
    ['a.exchange(1, std::memory_order_seq_cst);', 'acq_rel'],
  ])('%s: seq_cst becomes %s', (code, order) => {
    const { copies } = mutantsOf(new Map([['core/a.h', code]]));
    expect(withWeakened(copies.get('core/a.h') ?? '', 1)).toBe(code.replace('seq_cst', order));
  });

  it.each([
    ['a.load(std::memory_order_newest);', 'core/a.h:1: unknown order newest'],
    ['a.load(std::memory_order::acquire);', `core/a.h:1: write ${acquire}`],
    [`a.load(${relaxed});`, 'core/a.h names no memory order to weaken'],
  ])('%s: is refused', (code, message) => {
    expect(() => mutantsOf(new Map([['core/a.h', code]]))).toThrow(message);
  });
});

/** Evaluates the orders of a copy as its program does if SLUICE_WEAKENED is `number`. */
function withWeakened(copy: string, number: number): string {
  const choice = /\(sluice_weakened == (\d+) \? (\w+::\w+) : (\w+::\w+)\)/;
  let text = copy;
  for (let found = choice.exec(text); found !== null; found = choice.exec(text)) {
    const [expression, chosen, weak = '', written = ''] = found;
    text = text.replace(expression, Number(chosen) === number ? weak : written);
  }
  return text;
}
