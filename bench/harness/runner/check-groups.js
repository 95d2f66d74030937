/** Finds faults of the groups that would otherwise appear as a missing figure after minutes of measuring. */

/**
 * @param {import('./group.js').Group[]} groups
 * @throws if two figures have one id, or a bar names a figure that no case measures
 */
export function checkGroups(groups) {
  /** @type {Map<string, Set<string>>} */
  const subjects = new Map();
  for (const { figures, cases } of groups.flatMap(({ comparisons }) => comparisons)) {
    for (const { id } of figures) {
      if (subjects.has(id)) throw new Error(`two figures have the id ${id}`);
      subjects.set(id, new Set(cases.map(({ subject }) => subject)));
    }
  }
  for (const { claim, of, to = of } of groups.flatMap(({ bars }) => bars)) {
    for (const { figure, subject } of [of, to]) {
      if (!subjects.get(figure)?.has(subject)) {
        throw new Error(`the bar "${claim}" names ${figure} of ${subject}, which no case measures`);
      }
    }
  }
}
