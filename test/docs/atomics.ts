/**
 * Finds the atomic words that C++ sources declare, and their fences. It reads text, not C++: it knows the ways in which
 * this repository declares an atomic, and throws if it finds std::atomic_flag, __atomic_load_n() or the like, which it
 * cannot read.
 */

/** `Struct.word` for each declaration, and the function of each fence, in the order of the text. */
export interface Declared {
  readonly words: readonly string[];
  readonly fences: readonly string[];
}

const blank = (text: string) => text.replace(/[^\n]/g, ' ');

/** Returns the text with comments, strings and directives blanked; every other character keeps its place. */
function code(text: string): string {
  return text
    .replace(/\/\/.*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)'/g, blank)
    .replace(/^[ \t]*#.*(?:\\\n.*)*/gm, blank);
}

const type = String.raw`(?:std::atomic|typename A::template atomic)\s*<[^<>;]*(?:<[^<>;]*>)?[^<>;]*>`;
/** The types of locks. Each lock is a word, too; a pointer or a reference to a lock is not. */
const lock = String.raw`SpinLock\s*<\w*>`;
const unread = /\batomic_(?!thread_fence|signal_fence)\w+|\b__(?:atomic|sync)_\w+/;

/** Returns functions that give the name of the struct, or of the function, whose braces enclose the index `at`. */
function scopes(text: string): { struct(at: number): string; callable(at: number): string } {
  const open: { from: number; to: number; struct: string; callable: string }[] = [];
  const stack: number[] = [];
  for (const { 0: brace, index } of text.matchAll(/[{}]/g)) {
    if (brace === '}') {
      const closed = open[stack.pop() ?? -1];
      if (closed !== undefined) closed.to = index;
      continue;
    }
    const head = text.slice(0, index).split(/[{};]/).at(-1) ?? '';
    const struct = /(?<![<,]\s*)\b(?:struct|class|union)\s+(?:alignas\([^)]*\)\s*)?(\w+)[^()]*$/.exec(
      head,
    )?.[1];
    const callable = /([~\w]+)\s*\([^{}]*\)[^(){}]*(?::[\s\S]*)?$/.exec(head)?.[1];
    open.push({ from: index, to: text.length, struct: struct ?? '', callable: callable ?? '' });
    stack.push(open.length - 1);
  }
  const around = (at: number, name: 'struct' | 'callable') =>
    open.findLast(
      (scope) =>
        scope.from < at &&
        at < scope.to &&
        scope[name] !== '' &&
        !/^(?:if|for|while|switch|lock_guard)$/.test(scope[name]),
    )?.[name] ?? '';
  return { struct: (at) => around(at, 'struct'), callable: (at) => around(at, 'callable') };
}

export function declaredIn(source: string): Declared {
  const text = code(source);
  const odd = unread.exec(text);
  if (odd !== null) throw new Error(`an atomic of a kind that this test cannot read: ${odd[0]}`);
  const aliases = [...text.matchAll(new RegExp(String.raw`\busing\s+(\w+)\s*=\s*${type}\s*;`, 'g'))];
  const named = aliases.map(([, name = '']) => String.raw`(?<![\w:])${name}\b`);
  const { struct, callable } = scopes(text);
  const words: string[] = [];
  // Matches the type, the end of a container of this type, and the declared names: `word;`, `low, high;`, `words[8];`,
  // `word{0};`.
  const declaration = new RegExp(
    String.raw`(?:${[type, lock, ...named].join('|')})(?:\s*\[\])?(?:\s*,\s*[\w:]+)?(?:\s*>)*(\s*[*&]*)\s*((?:\w+(?:\[[^\]]*\])?\s*,\s*)*\w+)\s*([;{=[])`,
    'g',
  );
  for (const { 0: whole, 1: pointer = '', 2: names = '', 3: end, index } of text.matchAll(declaration)) {
    if (pointer.trim() !== '' && (end !== ';' || whole.startsWith('SpinLock'))) continue;
    if (/^using\b/.test(whole)) continue;
    for (const name of names.split(',')) {
      const word = name.trim().replace(/\[.*/s, '');
      words.push([struct(index), word].filter((part) => part !== '').join('.'));
    }
  }
  const fences = [
    ...text.matchAll(/\b(?:A::fence(?:_after_release)?|atomic_thread_fence)\s*\(\s*std::memory_order/g),
  ];
  return { words, fences: fences.map(({ index }) => callable(index)) };
}
