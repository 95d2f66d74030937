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
  let ended = 0; // cost of the calls that ended before the window ends
  let begun = 0; // cost of the calls that began before the window begins
  let next = 0;
  for (const { before: start, cost } of starts) {
    for (let end = ends[next]; end !== undefined && end.after < start + length; end = ends[++next]) {
      ended += end.cost;
    }
    // A call that began before the window and ends after it is in `begun`, but not in `ended`. `spanning` makes up for
    // that.
    let spanning = 0;
    for (const one of long) if (one.before < start && one.after >= start + length) spanning += one.cost;
    fullest = Math.max(fullest, ended - begun + spanning);
    begun += cost;
  }
  return fullest;
}

/**
 * Returns the largest amount by which a stretch of time surely admitted more than `rate` times its length. For a token
 * bucket this is at most the burst. Calls that took longer than `blur` prove nothing and are left out; every stretch is
 * taken to be longer by `blur`.
 */
export function largestExcess(admissions: readonly Admission[], rate: number, blur: number): number {
  const sure = admissions
    .filter(({ before, after }) => after - before <= blur)
    .sort((a, b) => a.after - b.after);
  let excess = 0;
  let sum = 0;
  let least = Infinity; // the least value of: the sum before a stretch, minus `rate` times its beginning
  for (const { before, after, cost } of sure) {
    least = Math.min(least, sum - rate * (before - blur));
    sum += cost;
    excess = Math.max(excess, sum - rate * after - least);
  }
  return excess;
}
