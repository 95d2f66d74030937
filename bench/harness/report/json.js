/** The content of --json. Values are in the units of their figures: 1/s, ns, bytes, count. */
import { judge } from '../runner/judge.js';
import { spread } from '../runner/statistics.js';

/** @param {import('./run.js').Run} run */
export function jsonReport({ machine, startedAt, seconds, rounds, quick, groups, results, guard }) {
  const { idle, gaveUp, busiest } = guard;
  return {
    machine,
    run: { startedAt, seconds, rounds, quick },
    idleGuard: { idle, gaveUp, busiest },
    groups: groups.map((group) => ({
      name: group.name,
      title: group.title,
      figures: group.comparisons.flatMap(({ figures, cases }) =>
        figures.map(({ id, title, unit }) => ({
          id,
          title,
          unit,
          subjects: cases.map(({ subject, skip }) => {
            const samples = results.samples.of({ figure: id, subject });
            return {
              subject,
              ...(skip === undefined ? {} : { skip }),
              ...(samples.length === 0 ? {} : { ...spread(samples), samples }),
            };
          }),
        })),
      ),
      bars: judge(group, results.samples),
    })),
    curves: [...results.curves.values()],
    failures: results.failures,
  };
}
