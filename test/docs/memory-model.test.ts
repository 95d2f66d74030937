import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { declaredIn } from './atomics.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const sources = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
  .map((name) => `native/${name.replaceAll('\\', '/')}`)
  .filter((name) => /\.(?:h|hpp|cc|cpp|c)$/.test(name))
  .sort();

/** Returns the names in the page's tables, by file: words as `Struct.word`, fences as `fence in function`. */
function rowsOf(page: string): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  for (const section of page.split(/^### /m).slice(1)) {
    const names = section.matchAll(/^\| (?:`(?<word>[^`]+)`|fence in `(?<fence>\w+)`) \|/gm);
    rows.set(
      section.slice(0, section.indexOf('\n')),
      [...names].map(({ groups }) => groups?.['word'] ?? `fence in ${groups?.['fence']}`).sort(),
    );
  }
  return rows;
}

const named = (text: string): string[] => {
  const { words, fences } = declaredIn(text);
  return [...words, ...fences.map((callable) => `fence in ${callable}`)].sort();
};

describe('the memory model', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/internals/memory-model.md'), 'utf8'));

  it.each(sources)('has a row for each atomic and fence of %s, and for no other', (file) => {
    expect(rows.get(file) ?? []).toEqual(named(readFileSync(join(root, file), 'utf8')));
  });

  it('has no table of a file that is gone', () => {
    expect(sources).toEqual(expect.arrayContaining([...rows.keys()]));
  });

  it('names for each word its writers, what orders it and what a dead thread leaves', () => {
    const page = readFileSync(join(root, 'docs/internals/memory-model.md'), 'utf8');
    for (const [row] of page.slice(page.indexOf('\n### ')).matchAll(/^\| (?:`|fence).*$/gm)) {
      const [name = '', writer, , order, death] = row
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim());
      expect(order, name).toMatch(/\.$/);
      if (!name.startsWith('fence')) expect([writer, death], name).not.toContain('');
    }
  });
});

/** Declarations, and the words that the reader must find in each. */
const declarations: readonly (readonly [text: string, words: readonly string[]])[] = [
  ['struct S { std::atomic<std::uint64_t> a; };', ['S.a']],
  ['struct S { std::atomic<std::uint32_t> low, high[2]; int other; };', ['S.low', 'S.high']],
  ['struct S {\n  std::atomic<std::uint64_t>\n      a;  // long\n};', ['S.a']],
  ['class C { std::atomic<std::uint64_t> a_{0}; std::atomic<int> b_ = 1; };', ['C.a_', 'C.b_']],
  ['struct alignas(64) S { alignas(128) std::atomic<T*> a{nullptr}; };', ['S.a']],
  ['template <class A> struct S { typename A::template atomic<Kind> a; };', ['S.a']],
  [
    'template <class A> class C { using Word = typename A::template atomic<int>; Word a, b; };',
    ['C.a', 'C.b'],
  ],
  [
    'class C { using Cell = std::atomic<int>; struct E { Cell cells[4]; }; Cell& cell_; };',
    ['E.cells', 'C.cell_'],
  ],
  [
    'class C { std::array<std::atomic<int>, 4> a_; std::unique_ptr<std::atomic<int>[]> b_; };',
    ['C.a_', 'C.b_'],
  ],
  ['class C { std::atomic<int>* heads_; SpinLock<A> lock_; SpinLock<>* view_; };', ['C.heads_', 'C.lock_']],
  ['std::atomic<int> global;\nvoid f() { static std::atomic<bool> once{false}; }', ['global', 'once']],
  // None of these declares a word.
  ['// std::atomic<int> a;\n/* std::atomic<int> b; */ const char* s = "std::atomic<int> c;";', []],
  ['int f(std::atomic<int>& a, const std::atomic<int>* b) { return a.load() + b->load(); }', []],
  ['std::atomic<int>& word(int i) { std::atomic<int>& found = words()[i]; return found; }', []],
  ['static_assert(std::atomic<int>::is_always_lock_free && sizeof(std::atomic<int>) == 4);', []],
];

describe('the reader of declarations', () => {
  it.each(declarations)('reads %s', (text, words) => {
    expect(declaredIn(text).words).toEqual(words);
  });
  it.each([
    'std::atomic_flag f;',
    'std::atomic_ref<int> r(x);',
    'std::atomic_uint64_t a;',
    '__atomic_load_n(p, 0);',
  ])('refuses %s, which it cannot read', (text) => {
    expect(() => declaredIn(text)).toThrow('cannot read');
  });
  it('names the function of a fence', () => {
    const text = 'struct S { void a() const noexcept { if (x) { A::fence(std::memory_order_acquire); } } };';
    expect(declaredIn(text).fences).toEqual(['a']);
  });
});
