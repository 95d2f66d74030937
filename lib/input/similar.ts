const lengthMax = 40;

/** Returns the name of `known` that `name` was probably meant to be: one that differs in a third of it at most. */
export function similar(name: string, known: readonly string[]): string | undefined {
  if (name.length > lengthMax) return undefined;
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const one of known) {
    const edits = distance(name.toLowerCase(), one.toLowerCase());
    if (edits < least && edits <= Math.max(1, one.length / 3)) [best, least] = [one, edits];
  }
  return best;
}

/**
 * How many characters must be inserted, removed, replaced, or exchanged with the next one, to make `a` of `b`: the
 * distance of optimal string alignment (https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance).
 */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (isSame ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        edits = Math.min(edits, at(before, j - 2) + 1);
      row.push(edits);
    }
    [before, last] = [last, row];
  }
  return at(last, b.length);
}

function at(row: readonly number[], i: number): number {
  return row[i] ?? 0;
}
