/** Several figures of all subjects on one logarithmic axis: a dot for each, and a line that joins them. */
import { spread } from '../../runner/statistics.js';
import { valueText } from '../../runner/units.js';
import { html } from '../markup.js';
import { decades, percent } from './percent.js';

const ROOM = 0.04; // the free share at both ends, so that no dot and no label is cut off

/**
 * @param {import('../../runner/group.js').Comparison} comparison
 * @param {import('../../runner/samples.js').Samples} samples
 * @param {(subject: string) => string} colorOf a class
 */
export function logRows({ figures, cases }, samples, colorOf) {
  const rows = cases.map(({ subject, skip }) => ({
    subject,
    skip,
    dots: figures.flatMap(({ id, title, unit }) => {
      const values = samples.of({ figure: id, subject });
      return values.length === 0 ? [] : [{ title, unit, ...spread(values) }];
    }),
  }));
  const positive = rows
    .flatMap(({ dots }) => dots.flatMap(({ min, max }) => [min, max]))
    .filter((value) => value > 0);
  if (positive.length === 0) return html`<p class="faint">not measured</p>`;
  const axis = decades(Math.min(...positive), Math.max(...positive));
  const [least = 1] = axis.ticks;
  const at = (/** @type {number} */ value) =>
    percent(ROOM + (1 - 2 * ROOM) * axis.at(Math.max(value, least)));
  const unit = figures[0]?.unit ?? 'ns';
  const grid = axis.ticks.map(
    (tick) => html`<line class="grid" x1="${at(tick)}" x2="${at(tick)}" y1="0" y2="22"/>`,
  );
  return html`<div class="rows">${rows.map(({ subject, skip, dots }) => {
    const [first] = dots;
    const last = dots.at(-1);
    if (first === undefined || last === undefined) {
      return html`<div class="row"><span class="subject">${subject}</span><span class="value faint">${skip ?? 'not measured'}</span></div>`;
    }
    return html`<div class="row">
<span class="subject">${subject}</span><span class="value">${dots.map(
      (dot) =>
        html`<span class="dot"><small>${dot.title}</small> <b>${valueText(dot.median, dot.unit)}</b></span> `,
    )}</span>
<svg class="dots ${colorOf(subject)}" width="100%" height="22" role="img" aria-label="${subject}: ${dots
      .map((dot) => `${dot.title} ${valueText(dot.median, dot.unit)}`)
      .join(', ')}">${grid}
<line class="spread" x1="${at(first.min)}" x2="${at(last.max)}" y1="11" y2="11"/><line class="join" x1="${at(first.median)}" x2="${at(last.median)}" y1="11" y2="11"/>
${dots.map(({ median }, index) => html`<circle class="fill" cx="${at(median)}" cy="11" r="${6 - index}"/>`)}
</svg></div>`;
  })}<svg class="axis" width="100%" height="18" aria-hidden="true">${axis.ticks.map(
    (tick) => html`<text x="${at(tick)}" y="13" text-anchor="middle">${tickText(tick, unit)}</text>`,
  )}</svg></div>`;
}

/** @param {number} tick @param {import('../../runner/units.js').Unit} unit */
function tickText(tick, unit) {
  return valueText(tick, unit)
    .replace(/(\.\d*?)0+(?=\D|$)/, '$1')
    .replace(/\.(?=\D|$)/, '');
}
