/** A number or a word with a name; null: it is not known. */
export interface Figure {
  readonly name: string;
  readonly value: number | string | null;
}

const figuresMax = 50;
const lengthMax = 200;

/** Cuts a text of the program's: a page of figures has no use for longer ones. */
export function cut(text: string): string {
  return text.slice(0, lengthMax);
}

/** Returns the numbers and words among the properties of an object. */
export function figuresOf(of: string, object: object): Figure[] {
  return Object.entries(object)
    .slice(0, figuresMax)
    .flatMap(([name, value]: [string, unknown]): Figure[] => {
      if (typeof value === 'string') return [{ name: cut(`${of}: ${name}`), value: cut(value) }];
      return typeof value === 'number' ? [{ name: cut(`${of}: ${name}`), value }] : [];
    });
}
