/** Curves over time, one for each subject. */
import { valueText } from '../../runner/units.js';
import { html } from '../markup.js';

const HEIGHT = 180;

/**
 * @param {import('../../runner/run-groups.js').Curve[]} curves
 * @param {(subject: string) => string} colorOf a class
 */
export function curveChart(curves, colorOf) {
  const unit = curves[0]?.unit ?? 'bytes';
  const points = curves.flatMap((curve) => curve.points);
  const lastMs = Math.max(...points.map(([atMs]) => atMs), 1);
  const most = Math.max(...points.map(([, value]) => value), 1);
  const line = (/** @type {Array<[number, number]>} */ of) =>
    of
      .map(
        ([atMs, value]) =>
          `${((100 * atMs) / lastMs).toFixed(2)},${(100 - (100 * Math.max(0, value)) / most).toFixed(2)}`,
      )
      .join(' ');
  return html`<div class="curves"><div class="legend">${curves.map(
    ({ subject, points: of }) =>
      html`<span class="${colorOf(subject)}"><i></i>${subject} <small>up to ${valueText(Math.max(0, ...of.map(([, value]) => value)), unit)}</small></span> `,
  )}</div>
<svg width="100%" height="${HEIGHT + 22}" role="img" aria-label="${curves.map(({ subject }) => subject).join(', ')} over time">
<svg width="100%" height="${HEIGHT}" viewBox="0 0 100 100" preserveAspectRatio="none">
${[0, 50, 100].map((y) => html`<line class="grid" x1="0" x2="100" y1="${y}" y2="${y}"/>`)}
${curves.map(({ subject, points: of }) => html`<polyline class="curve ${colorOf(subject)}" points="${line(of)}"/>`)}
</svg>
<text class="tick" x="4" y="14">${valueText(most, unit)}</text><text class="tick" x="4" y="${HEIGHT / 2 + 14}">${valueText(most / 2, unit)}</text>
<text class="tick" x="0" y="${HEIGHT + 16}">0</text><text class="tick" x="100%" y="${HEIGHT + 16}" text-anchor="end">${valueText(lastMs * 1e6, 'ns')}</text>
</svg></div>`;
}
