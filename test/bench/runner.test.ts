import { describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../bench/harness/command-line.js';
import { barsTable, markers, withTable } from '../../bench/harness/report/docs-table.js';
import { jsonReport } from '../../bench/harness/report/json.js';
import { terminalReport } from '../../bench/harness/report/terminal.js';
import { checkGroups } from '../../bench/harness/runner/check-groups.js';
import { judge } from '../../bench/harness/runner/judge.js';
import { Samples } from '../../bench/harness/runner/samples.js';
import { valueText } from '../../bench/harness/runner/units.js';
import { groups, sampleRun } from './sample-run.js';

const run = await sampleRun();
const verdicts = run.groups.flatMap((group) => judge(group, run.results.samples));

describe('a bar', () => {
  it('is judged by the median of the quotients of each round, not by the quotient of medians', () => {
    // The rounds' quotients 8/2, 9/3 and 10/2.5 are 4, 3 and 4. The medians are 9 and 2.5: their quotient would be 3.6.
    expect(verdicts[0]).toEqual({
      claim: 'speed vs Atomics ring',
      sides: 'sluice / Atomics ring',
      unit: undefined,
      limit: '>= 3.5',
      bound: 3.5,
      value: { median: 4, min: 3, max: 4 },
      outcome: 'met',
    });
  });

  it('is missed on the wrong side of its limit, and not on the limit', () => {
    const samples = new Samples();
    samples.add({ figure: 'x', subject: 's' }, 0, 2);
    const of = { figure: 'x', subject: 's' };
    const outcomeOf = (bar: object) =>
      judge({ ...groups[0], bars: [{ claim: '', of, ...bar }] } as (typeof groups)[0], samples)[0]?.outcome;
    expect(outcomeOf({ atLeast: 2 })).toBe('met');
    expect(outcomeOf({ atLeast: 2.1 })).toBe('missed');
    expect(outcomeOf({ moreThan: 2 })).toBe('missed');
    expect(outcomeOf({ atMost: 2 })).toBe('met');
    expect(outcomeOf({ atMost: 1.9 })).toBe('missed');
    expect(outcomeOf({})).toBe('reported');
  });

  it('whose figure could not be measured is neither met nor missed', () => {
    expect(verdicts[1]).toEqual({
      claim: 'speed vs Redis',
      sides: 'sluice / Redis',
      unit: undefined,
      limit: '>= 2',
      bound: 2,
      outcome: 'not measured',
    });
  });
});

describe('a run', () => {
  it('goes on after a case that failed, and reports the failure with its round', () => {
    expect(run.results.failures).toEqual([
      { comparison: 'memory', subject: 'broken', round: 0, message: 'it broke' },
    ]);
    expect(terminalReport(run)).toContain('broken, memory, round 1: it broke');
  });

  it('keeps to the rounds that a group allows', () => {
    expect(run.results.samples.of({ figure: 'speed', subject: 'sluice' })).toEqual([8e6, 9e6, 10e6]);
    expect(run.results.samples.of({ figure: 'p50', subject: 'sluice' })).toEqual([400]);
  });

  it('pairs the samples of one round although a sample of another round is missing', () => {
    const samples = new Samples();
    const [a, b] = [
      { figure: 'x', subject: 'a' },
      { figure: 'x', subject: 'b' },
    ];
    samples.add(a, 0, 10);
    samples.add(a, 1, 20);
    samples.add(b, 1, 5);
    expect(samples.quotients(a, b)).toEqual([4]);
  });

  it('is refused if a bar names what no case measures', () => {
    const [group] = groups;
    const bars = [{ claim: 'typo', of: { figure: 'sped', subject: 'sluice' } }];
    expect(() => checkGroups([{ ...group, bars } as (typeof groups)[0]])).toThrow(
      'the bar "typo" names sped of sluice',
    );
    expect(() => checkGroups([...groups, ...groups])).toThrow('two figures have the id speed');
    expect(() => checkGroups(groups)).not.toThrow();
  });
});

describe('the reports', () => {
  it('in JSON have the samples of every figure, the bars and the failures', () => {
    const report = JSON.parse(JSON.stringify(jsonReport(run)));
    expect(report.groups[0].figures[0]).toEqual({
      id: 'speed',
      title: 'Messages a second',
      unit: '1/s',
      subjects: [
        { subject: 'sluice', median: 9e6, min: 8e6, max: 10e6, samples: [8e6, 9e6, 10e6] },
        { subject: 'Atomics ring', median: 2.5e6, min: 2e6, max: 3e6, samples: [2e6, 3e6, 2.5e6] },
        { subject: 'Redis', skip: 'no redis-server here' },
      ],
    });
    expect(report.groups[1].bars.map((bar: { outcome: string }) => bar.outcome)).toEqual(['met', 'missed']);
    expect(report.curves[0].points).toHaveLength(3);
    expect(report.failures).toHaveLength(1);
  });

  it('for the documentation replace what is between the markers, and nothing else', () => {
    const { begin, end } = markers;
    const written = withTable(`before\n${begin}\nold\n${end}\nafter\n`, barsTable(run));
    expect(written).toMatch(/^before\n<!-- bars: begin -->\n\n2026-11-25, sluice 0\.1\.0, /);
    expect(written).toContain('| speed vs Atomics ring | 4.00 (3.00 to 4.00) | >= 3.5 | met |');
    expect(written).not.toContain('old');
    expect(written.endsWith(`${end}\nafter\n`)).toBe(true);
    expect(withTable(written, barsTable(run))).toBe(written);
    expect(() => withTable(`${end} ${begin}`, '')).toThrow('once each');
  });

  it('write values with three digits and a unit', () => {
    expect(valueText(8_312_000, '1/s')).toBe('8.31 M/s');
    expect(valueText(41.27, 'ns')).toBe('41.3 ns');
    expect(valueText(1_754_000, 'ns')).toBe('1.75 ms');
    expect(valueText(393e6, 'bytes')).toBe('393 MB');
    expect(valueText(0, 'bytes')).toBe('0 B');
  });
});

describe('the command line', () => {
  it.each([
    [['--rounds', '0'], '--rounds'],
    [['--rounds', '1.5'], '--rounds'],
    [['--quik'], '--quik'],
    [['all'], 'all'],
  ])('refuses %j and names it', (args, named) => {
    expect(() => parseCommandLine(args)).toThrow(named);
  });

  it('takes one round for a quick run unless told otherwise', () => {
    expect(parseCommandLine(['--quick'])).toMatchObject({ rounds: 1, scale: { quick: true } });
    expect(parseCommandLine(['--quick', '--rounds', '2'])).toMatchObject({ rounds: 2 });
    expect(parseCommandLine([])).toMatchObject({ rounds: 5, check: false });
  });
});
