/** Returns an array that has each word of an enumeration at its number, and undefined at numbers without a word. */
export function byNumber<Word extends string>(
  numbers: Readonly<Record<Word, number>>,
): readonly (Word | undefined)[] {
  const entries = Object.entries(numbers) as Array<[Word, number]>;
  const words: Array<Word | undefined> = [];
  for (const [word, number] of entries) {
    while (words.length <= number) words.push(undefined); // reading a hole would read Array.prototype
    words[number] = word;
  }
  return words;
}

/** Returns the words as one text: "'a', 'b' or 'c'". */
export function quoted(words: readonly string[]): string {
  const all = words.map((word) => `'${word}'`);
  return `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`;
}
