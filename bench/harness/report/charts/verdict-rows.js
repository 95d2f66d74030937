/** The bars: each ratio as a dot on a logarithmic axis, the limit as a line. */
import { digits, figureText } from '../../runner/units.js';
import { html } from '../markup.js';
import { percent } from './percent.js';

/** The axis reaches from the limit divided by this factor to the limit times this factor. */
const REACH = 20;

/** @param {import('../../runner/judge.js').Verdict[]} verdicts */
export function verdictRows(verdicts) {
  return html`<div class="verdicts">${verdicts.map(
    ({
      claim,
      sides,
      unit,
      limit,
      bound,
      value,
      outcome,
    }) => html`<div class="verdict ${outcome.replace(' ', '-')}">
<span class="claim">${claim}<small>${sides}</small></span>
<span class="ratio">${value === undefined ? '' : html`<b>${figureText(value.median, unit)}</b>${value.min === value.max ? undefined : html` <small>${figureText(value.min, unit)} to ${figureText(value.max, unit)}</small>`}`}</span>
<span class="limit">${limit}</span><span class="outcome">${outcome}</span>
${value === undefined ? undefined : gauge(value, limit, bound, outcome)}</div>`,
  )}</div>`;
}

/**
 * @param {import('../../runner/statistics.js').Spread} value
 * @param {string} limit
 * @param {number | undefined} bound
 * @param {string} outcome
 */
function gauge({ median, min, max }, limit, bound, outcome) {
  if (bound === undefined || bound === 0) return undefined;
  const at = (/** @type {number} */ ratio) =>
    percent(
      Math.min(0.985, Math.max(0.015, 0.5 + Math.log(Math.max(ratio, 1e-9) / bound) / Math.log(REACH) / 2)),
    );
  const [x, width] = limit.startsWith('<') ? ['0', '50%'] : ['50%', '50%'];
  return html`<svg class="gauge" width="100%" height="12" role="img" aria-label="${outcome}: ${digits(median)}, bar ${limit}">
<rect class="track" width="100%" height="4" y="4" rx="2"/><rect class="good" x="${x}" width="${width}" height="4" y="4" rx="2"/>
<line class="spread" x1="${at(min)}" x2="${at(max)}" y1="6" y2="6"/><line class="bound" x1="50%" x2="50%" y1="0" y2="12"/><circle cx="${at(median)}" cy="6" r="5"/></svg>`;
}
