/**
 * What a group of figures is. Each group is one file that exports `group` and is one line in bench/cases/index.js:
 * it says what it measures, how, and what must hold of it; the runner and the reports know no more than this.
 *
 * @typedef {object} Group
 * @property {string} name what `--only` takes
 * @property {string} title
 * @property {string} about what is measured and how, in a sentence or two: printed in the reports
 * @property {Comparison[]} comparisons
 * @property {Bar[]} bars
 * @property {number} [roundsMax] fewer rounds than the run's, for what takes long or hardly varies
 *
 * @typedef {object} Comparison things measured in turn, on a machine found idle before the first of them
 * @property {string} title
 * @property {Figure[]} figures what every case measures, all at once
 * @property {Case[]} cases in the order in which each round runs them
 * @property {'bars' | 'log'} [chart] default 'bars': one for each figure. 'log': all figures on one logarithmic axis
 *
 * @typedef {object} Figure
 * @property {string} id unique in the whole run
 * @property {string} title
 * @property {import('./units.js').Unit} unit
 *
 * @typedef {object} Case
 * @property {string} subject whose figures these are, as it is printed: 'sluice'
 * @property {string} [skip] why it cannot be measured here: it is listed with this reason, and not run
 * @property {(scale: Scale, plot: Plot) => Promise<Record<string, number>>} run one sample of each figure, by id.
 *   A throw is reported as this case's failure, and makes the run's exit code 1
 *
 * @typedef {object} Scale how long one case may take
 * @property {boolean} quick to see it run, not for figures
 * @property {number} warmUpMs
 * @property {number} measuredMs
 *
 * @typedef {(title: string, unit: import('./units.js').Unit, points: Array<[atMs: number, value: number]>) => void} Plot
 *   a curve over time for the page; that of the last round is kept
 *
 * @typedef {{ figure: string, subject: string }} Sample where to find one
 *
 * @typedef {object} Bar what must hold of the median, round by round, of `of` divided by `to`, or of `of` alone.
 *   Without a limit it is reported, and nothing must hold
 * @property {string} claim
 * @property {Sample} of
 * @property {Sample} [to]
 * @property {number} [atLeast]
 * @property {number} [moreThan]
 * @property {number} [atMost]
 */

export {};
