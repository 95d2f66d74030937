/** One figure of all subjects: a bar to the median, a whisker from the least to the most. */
import { spread } from '../../runner/statistics.js';
import { spreadText, valueText } from '../../runner/units.js';
import { html } from '../markup.js';
import { percent } from './percent.js';

/**
 * @param {import('../../runner/group.js').Figure} figure
 * @param {import('../../runner/group.js').Case[]} cases
 * @param {import('../../runner/samples.js').Samples} samples
 * @param {(subject: string) => string} colorOf a class
 */
export function barRows({ id, unit }, cases, samples, colorOf) {
  const rows = cases.map(({ subject, skip }) => {
    const values = samples.of({ figure: id, subject });
    return { subject, skip, measured: values.length === 0 ? undefined : spread(values) };
  });
  const most = Math.max(...rows.map(({ measured }) => measured?.max ?? 0), Number.MIN_VALUE);
  return html`<div class="rows">${rows.map(({ subject, skip, measured }) => {
    if (measured === undefined) {
      return html`<div class="row"><span class="subject">${subject}</span><span class="value faint">${skip ?? 'not measured'}</span></div>`;
    }
    const { median, min, max } = measured;
    const at = (/** @type {number} */ value) => percent(Math.max(0, value) / most);
    return html`<div class="row">
<span class="subject">${subject}</span><span class="value" title="${spreadText(measured, unit)}"><b>${valueText(median, unit)}</b>${
      min === max ? undefined : html` <small>${valueText(min, unit)} to ${valueText(max, unit)}</small>`
    }</span>
<svg class="bar ${colorOf(subject)}" width="100%" height="14" role="img" aria-label="${subject}: ${spreadText(measured, unit)}">
<rect class="track" width="100%" height="14" rx="3"/><rect class="fill" width="${at(median)}" height="14" rx="3"/>
<line class="whisker" x1="${at(min)}" x2="${at(max)}" y1="7" y2="7"/><line class="whisker" x1="${at(min)}" x2="${at(min)}" y1="4" y2="10"/><line class="whisker" x1="${at(max)}" x2="${at(max)}" y1="4" y2="10"/>
</svg></div>`;
  })}</div>`;
}
