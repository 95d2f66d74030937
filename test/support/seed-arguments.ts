/** An argument of a simulator that it cannot use. */
export class BadArgument extends Error {
  readonly code = 'BAD_ARGUMENT';
}

const seedMax = 2 ** 32 - 1;

/** Returns the whole number that an option has. @throws BadArgument, which names the option. */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new BadArgument(`${option}: expected a whole number from ${min} to ${max}, got "${text}"`);
}

/** Returns the first and the last seed that `--seed N` or `--seeds A-B` names. @throws BadArgument */
export function seedRange(seed: string | undefined, seeds: string): [number, number] {
  if (seed !== undefined) {
    const one = wholeNumber('--seed', seed, 0, seedMax);
    return [one, one];
  }
  const [first = '', last = first, ...more] = seeds.split('-');
  if (more.length > 0) throw new BadArgument(`--seeds: expected A-B, got "${seeds}"`);
  const range: [number, number] = [
    wholeNumber('--seeds', first, 0, seedMax),
    wholeNumber('--seeds', last, 0, seedMax),
  ];
  if (range[0] > range[1]) throw new BadArgument(`--seeds: the first is greater than the last in "${seeds}"`);
  return range;
}
