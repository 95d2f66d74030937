/** One call that allowed: begun and ended at these times. The decision was made in between, nobody knows when. */
export interface Admission {
  readonly before: number;
  readonly after: number;
  readonly cost: number;
}

/**
 * The most that surely lies in one window of this length, wherever it begins. Only what began and ended within it
 * counts, so a thread that is stopped in the middle of a call proves nothing: what is found is never too much.
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
    // Of those that began before, all but the longest have ended: they are in neither.
    let spanning = 0;
    for (const one of long) if (one.before < start && one.after >= start + length) spanning += one.cost;
    fullest = Math.max(fullest, ended - begun + spanning);
    begun += cost;
  }
  return fullest;
}

/**
 * By how much more than `rate` for its length any stretch of time surely admitted: at most the burst, for a token
 * bucket. Calls that took longer than `blur` prove nothing and are left out; so much is every stretch given in
 * addition.
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
