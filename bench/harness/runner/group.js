/**
 * The interface of a group of figures. Each group is one file that exports `group`, and that bench/cases/index.js or
 * bench/cases/repository-only/index.js imports and lists. A group defines what it measures, how, and which bars it must
 * meet; the runner and the reports know nothing else.
 *
 * @typedef {object} Group
 * @property {string} name its name for `--only`
 * @property {string} title
 * @property {string} about describes what is measured and how, in a sentence or two; the reports print it
 * @property {Comparison[]} comparisons
 * @property {Bar[]} bars
 * @property {number} [roundsMax] the most rounds of this group, for measurements that take long or hardly vary
 *
 * @typedef {object} Comparison cases measured alternately. The runner first waits for an idle machine
 * @property {string} title
 * @property {Figure[]} figures the figures that every case measures, all at once
 * @property {Case[]} cases in the order in which each round runs them
 * @property {'bars' | 'log'} [chart] default 'bars': one for each figure. 'log': all figures on one logarithmic axis
 *
 * @typedef {object} Figure
 * @property {string} id unique in the whole run
 * @property {string} title
 * @property {import('./units.js').Unit} unit
 *
 * @typedef {object} Case
 * @property {string} subject the name of what is measured, as the reports print it, such as 'sluice'
 * @property {string} [skip] why the case cannot be measured here: the reports list the reason, and the case does not
 *   run
 * @property {(scale: Scale, plot: Plot) => Promise<Record<string, number>>} run one sample of each figure, by id.
 *   A throw is reported as this case's failure, and makes the run's exit code 1
 *
 * @typedef {object} Scale how long one case may take
 * @property {boolean} quick a smoke test: the figures mean nothing
 * @property {number} warmUpMs
 * @property {number} measuredMs
 *
 * @typedef {(title: string, unit: import('./units.js').Unit, points: Array<[atMs: number, value: number]>) => void}
 *   Plot a curve over time for the page; the last round's is kept
 *
 * @typedef {{ figure: string, subject: string }} Sample names the samples of a figure and a subject
 *
 * @typedef {object} Bar a limit for the median of the rounds' quotients of `of` and `to`, or of `of` alone. Without a
 *   limit the value is only reported
 * @property {string} claim
 * @property {Sample} of
 * @property {Sample} [to]
 * @property {number} [atLeast]
 * @property {number} [moreThan]
 * @property {number} [atMost]
 */

export {};
