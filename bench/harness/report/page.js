/** `--html`: the results as one self-contained page. */
import { readFileSync } from 'node:fs';
import { judge } from '../runner/judge.js';
import { figureText, valueText } from '../runner/units.js';
import { barRows } from './charts/bar-rows.js';
import { curveChart } from './charts/curves.js';
import { logRows } from './charts/log-rows.js';
import { verdictRows } from './charts/verdict-rows.js';
import { guardLine } from './guard-line.js';
import { html, Markup } from './markup.js';

const COLORS = 6;

/** @param {import('./run.js').Run} run @returns {string} */
export function page(run) {
  const { groups, results } = run;
  const colorOf = colors(groups);
  const verdicts = groups.flatMap((group) => judge(group, results.samples));
  const style = new Markup(readFileSync(new URL('./page.css', import.meta.url), 'utf8'));
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>sluice benchmarks</title>
<style>${style}</style></head><body><main>
<header><h1>sluice benchmarks</h1>${conclusion(verdicts)}
${contents(run)}
${facts(run)}
<p class="note ${run.quick || run.guard.gaveUp > 0 || run.guard.description === undefined ? 'warning' : ''}">${guardLine(run.guard)}${run.quick ? ' This was a quick run, of short rounds.' : ''}</p></header>
${verdicts.length === 0 ? undefined : html`<section><h2 id="bars">What must hold</h2><p class="about">Medians of the quotients of things measured in turn, round by round, and the bar that each must pass. Below each figure are the two things that it divides.</p><div class="card">${verdictRows(verdicts)}</div></section>`}
${groups.map((group) => section(group, run, colorOf))}
${curveSection(run, colorOf)}
${results.failures.length === 0 ? undefined : html`<section><h2>Failed</h2><ul>${results.failures.map(({ comparison, subject, round, message }) => html`<li><b>${subject}</b>, ${comparison}, round ${round + 1}: ${message}</li>`)}</ul></section>`}
<footer>Bars end at the median; whiskers reach from the least to the most of the rounds. Made by <code>sluice bench --html</code>.</footer>
</main></body></html>
`.text;
}

/** Says how sluice does, before any figure. @param {import('../runner/judge.js').Verdict[]} verdicts */
function conclusion(verdicts) {
  const having = (/** @type {string} */ outcome) => verdicts.filter((each) => each.outcome === outcome);
  const [met, missed, missing] = [having('met'), having('missed'), having('not measured').length];
  const judged = met.length + missed.length;
  if (judged === 0) return html`<p class="sum">No bar was measured.</p>`;
  return html`<p class="sum">sluice passes <span class="met">${met.length}</span> of ${judged} bars${missed.length === 0 ? '.' : html` and misses <span class="missed">${missed.length}</span>:`}${missing === 0 ? undefined : html` <span class="faint">${missing} more were not measured.</span>`}</p>
${missed.length === 0 ? undefined : html`<ul class="misses">${missed.map(({ claim, sides, unit, value, limit }) => html`<li>${claim} (${sides}): ${value === undefined ? '' : figureText(value.median, unit)}, bar ${limit}</li>`)}</ul>`}`;
}

/** @param {import('./run.js').Run} run */
function contents({ groups }) {
  return html`<nav aria-label="Contents"><a href="#bars">What must hold</a> ${groups.map(({ name, title }) => html`<a href="#${name}">${title}</a> `)}</nav>`;
}

/** @param {import('./run.js').Run} run */
function facts({ machine, startedAt, seconds, rounds }) {
  const entries = [
    ['sluice', machine.sluice],
    ['Node.js', `${machine.node}, V8 ${machine.v8}`],
    ['system', machine.system],
    ['processor', `${machine.processors} x ${machine.processor}`],
    ['memory', valueText(machine.memoryBytes, 'bytes')],
    [
      'run',
      `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${rounds} round${rounds === 1 ? '' : 's'}, ${valueText(seconds * 1e9, 'ns')}`,
    ],
  ];
  return html`<dl class="facts">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/**
 * @param {import('../runner/group.js').Group} group
 * @param {import('./run.js').Run} run
 * @param {(subject: string) => string} colorOf
 */
function section({ name, title, about, comparisons }, { results: { samples } }, colorOf) {
  return html`<details><summary><h2 id="${name}">${title}</h2></summary><p class="about">${about}</p><div class="cards">${comparisons.map(
    (comparison) =>
      comparison.chart === 'log'
        ? html`<div class="card"><h3>${comparison.title}</h3>${logRows(comparison, samples, colorOf)}</div>`
        : comparison.figures.map(
            (figure) =>
              html`<div class="card"><h3>${figure.title}</h3>${barRows(figure, comparison.cases, samples, colorOf)}</div>`,
          ),
  )}</div></details>`;
}

/** @param {import('./run.js').Run} run @param {(subject: string) => string} colorOf */
function curveSection({ results }, colorOf) {
  const curves = [...results.curves.values()];
  const titles = [...new Set(curves.map(({ title }) => title))];
  if (titles.length === 0) return undefined;
  return html`<details><summary><h2 id="over-time">Over time</h2></summary><p class="about">Of the last round.</p><div class="cards">${titles.map(
    (title) =>
      html`<div class="card wide"><h3>${title}</h3>${curveChart(
        curves.filter((curve) => curve.title === title),
        colorOf,
      )}</div>`,
  )}</div></details>`;
}

/**
 * Returns a function from a subject to its class. sluice has a color of its own, and its other forms (such as its
 * batcher) have a second one. All other subjects get the rest of the colors in turn.
 * @param {import('../runner/group.js').Group[]} groups
 */
function colors(groups) {
  const subjects = groups.flatMap(({ comparisons }) =>
    comparisons.flatMap(({ cases }) => cases.map(({ subject }) => subject)),
  );
  const others = [...new Set(subjects)].filter((subject) => !isOurs(subject));
  return (/** @type {string} */ subject) =>
    isOurs(subject)
      ? subject === 'sluice'
        ? 'ours'
        : 'ours second'
      : `other${others.indexOf(subject) % COLORS}`;
}

/** @param {string} subject */
function isOurs(subject) {
  return /^sluice\b/.test(subject);
}
