import type { Run } from '../../bench/harness/report/run.js';
import type { Group } from '../../bench/harness/runner/group.js';
import { IdleGuard } from '../../bench/harness/runner/idle-guard.js';
import { runGroups } from '../../bench/harness/runner/run-groups.js';

const speed = (subject: string, ...values: number[]) => {
  let round = 0;
  return { subject, run: async () => ({ speed: values[round++] ?? Number.NaN }) };
};
const delay = (subject: string, p50: number, p99: number) => ({
  subject,
  run: async () => ({ p50, p99 }),
});

/** Groups whose figures are given, not measured, so that the contents of the reports are known beforehand. */
export const groups: Group[] = [
  {
    name: 'speed',
    title: 'Speed <of> things & others',
    about: 'How fast "each" is.',
    comparisons: [
      {
        title: 'one at a time',
        figures: [{ id: 'speed', title: 'Messages a second', unit: '1/s' }],
        cases: [
          speed('sluice', 8e6, 9e6, 10e6),
          speed('Atomics ring', 2e6, 3e6, 2.5e6),
          {
            subject: 'Redis',
            skip: 'no redis-server here',
            run: () => Promise.reject(new Error('not reached')),
          },
        ],
      },
    ],
    bars: [
      {
        claim: 'speed vs Atomics ring',
        of: { figure: 'speed', subject: 'sluice' },
        to: { figure: 'speed', subject: 'Atomics ring' },
        atLeast: 3.5,
      },
      {
        claim: 'speed vs Redis',
        of: { figure: 'speed', subject: 'sluice' },
        to: { figure: 'speed', subject: 'Redis' },
        atLeast: 2,
      },
    ],
  },
  {
    name: 'delay',
    title: 'Delay',
    about: 'How long each takes.',
    roundsMax: 1,
    comparisons: [
      {
        title: 'round trip',
        chart: 'log',
        figures: [
          { id: 'p50', title: 'p50', unit: 'ns' },
          { id: 'p99', title: 'p99', unit: 'ns' },
        ],
        cases: [delay('sluice', 400, 90_000), delay('MessagePort', 21_000, 3_200_000)],
      },
      {
        title: 'memory',
        figures: [{ id: 'memory', title: 'Memory', unit: 'bytes' }],
        cases: [
          {
            subject: 'sluice',
            run: async (_, plot) => {
              plot('Memory over time', 'bytes', [
                [0, 0],
                [10, 4_096],
                [20, 2_000_000],
              ]);
              return { memory: 0 };
            },
          },
          { subject: 'broken', run: () => Promise.reject(new Error('it broke')) },
        ],
      },
    ],
    bars: [
      { claim: 'memory', of: { figure: 'memory', subject: 'sluice' }, atMost: 0 },
      {
        claim: 'delay vs MessagePort',
        of: { figure: 'p99', subject: 'sluice' },
        to: { figure: 'p99', subject: 'MessagePort' },
        atMost: 1 / 50,
      },
    ],
  },
];

export async function sampleRun(): Promise<Run> {
  const guard = new IdleGuard(undefined);
  const rounds = 3;
  const scale = { quick: true, warmUpMs: 1, measuredMs: 1 };
  const results = await runGroups(groups, { rounds, scale, guard, progress: () => {} });
  return {
    machine: {
      processor: 'A Processor of a Long Name, 64-Core',
      processors: 2,
      memoryBytes: 24e9,
      system: 'linux 6.1 x64',
      node: 'v20.20.2',
      v8: '11.3',
      sluice: '0.1.0',
    },
    startedAt: '2026-11-25T23:00:00.000Z',
    seconds: 61,
    rounds,
    quick: false,
    groups,
    results,
    guard,
  };
}
