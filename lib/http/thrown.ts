/**
 * An error for a framework, of what a function among the options has thrown or rejected with. Frameworks take some values
 * for no error (`undefined`, and Express the text 'route'), and would handle the request.
 */
export function errorOf(where: string, thrown: unknown): object {
  if (typeof thrown === 'object' && thrown !== null) return thrown;
  return new Error(`${where}: a function among the options has thrown ${String(thrown)}`, { cause: thrown });
}
