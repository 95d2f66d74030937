/**
 * Returns an error for a framework from the value that a function among the options has thrown or rejected with.
 * Frameworks do not treat some values as errors (`undefined`, and in Express the text 'route'), and would handle the
 * request.
 */
export function errorOf(where: string, thrown: unknown): object {
  if (typeof thrown === 'object' && thrown !== null) return thrown;
  return new Error(`${where}: a function among the options has thrown ${String(thrown)}`, { cause: thrown });
}
