/**
 * One call that was allowed, with the times at which it began and ended. The decision was made at an unknown time in
 * between.
 */
export interface Admission {
  readonly before: number;
  readonly after: number;
  readonly cost: number;
}

/**
 * Returns the most that was surely admitted in one window of this length, wherever it begins. Only calls that began and
 * ended within the window count, so the result is never too high, even if a thread is stopped in the middle of a call.
 */
export function fullestWindow(admissions: readonly Admission[], length: number): number {
  const starts = [...admissions].sort((a, b) => a.before - b.before);
  const ends = [...admissions].sort((a, b) => a.after - b.after);
  const long = admissions.filter(({ before, after }) => after - before >= length);
  let fullest = 0;
  let ended = 0; // cost of all that ended before the window does
  let begun = 0; // cost of all that began before the window does
  let next = 0;
  for (const { before: start, cost } of starts) {
    for (let end = ends[next]; end !== undefined && end.after < start + length; end = ends[++next]) {
      ended += end.cost;
    }
    // All calls that began before have ended, except the longest: they are in neither.
    let spanning = 0;
    for (const one of long) if (one.before < start && one.after >= start + length) spanning += one.cost;
    fullest = Math.max(fullest, ended - begun + spanning);
    begun += cost;
  }
  return fullest;
}

/**
 * Returns by how much a stretch of time surely admitted more than `rate` times its length: at most the burst, for a
 * token bucket. Calls that took longer than `blur` prove nothing and are left out; every stretch is taken to be longer
 * by `blur`.
 */
export function largestExcess(admissions: readonly Admission[], rate: number, blur: number): number {
  const sure = admissions
    .filter(({ before, after }) => after - before <= blur)
    .sort((a, b) => a.after - b.after);
  let excess = 0;
  let sum = 0;
  let least = Infinity; // of the sum before the stretch, less what its beginning gives
  for (const { before, after, cost } of sure) {
    least = Math.min(least, sum - rate * (before - blur));
    sum += cost;
    excess = Math.max(excess, sum - rate * after - least);
  }
  return excess;
}
