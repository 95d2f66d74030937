/** @param {import('../runner/idle-guard.js').IdleGuard} guard @returns {string} whether the figures can be quoted */
export function guardLine({ description, idle, gaveUp, busiest }) {
  if (description === undefined)
    return 'Nothing looked whether the machine was idle. Do not quote these figures.';
  if (gaveUp === 0) return `All ${idle} comparisons began on an idle machine (${description}).`;
  return (
    `The idle guard (${description}) gave up before ${gaveUp} of ${idle + gaveUp} comparisons: ` +
    `the machine was up to ${Math.round(busiest * 100)} % busy. Do not quote these figures.`
  );
}
