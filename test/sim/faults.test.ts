import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { mutated, plant, readSources, type Sources } from '../support/mutated-sources.js';
import { faults } from './faults.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('Faults planted in a copy of the sources', () => {
  const sources = readSources(root, ['native', 'dist']);
  it.each(Object.entries(faults))('%s: its text occurs once', (name, fault) => {
    expect(plant(sources, name, fault).text).toContain(name);
  });

  it('are inactive beside the sound code', () => {
    expect(
      plantIn('  run(first);\n  return a +\n      b;\n', { sound: 'run(first);', faulty: 'run(last);' }),
    ).toBe('  { if (sluice_planted("kAny")) { run(last); } else { run(first); } }\n  return a +\n      b;\n');
    expect(plantIn('  return a +\n      b;\n', { sound: 'a + b', faulty: 'a - b' })).toBe(
      '  return (sluice_planted("kAny") ? (a - b) : (a + b));\n',
    );
    expect(plantIn('x = a; y = a;', { within: 'y = a', sound: 'a', faulty: 'b' })).toBe(
      'x = a; y = (sluice_planted("kAny") ? (b) : (a));',
    );
  });

  it('fail if their text occurs nowhere, or twice', () => {
    expect(() => plantIn('x = a;', { sound: 'b', faulty: '' })).toThrow(/kAny: .* occurs nowhere: b/);
    expect(() => plantIn('x = a; y = a;', { sound: 'a', faulty: '' })).toThrow(
      /occurs native\/a.h and native\/a.h: a/,
    );
    expect(() => plantIn('x = a + a;', { within: 'a + a', sound: 'a', faulty: '' })).toThrow(
      /native\/a.h: a/,
    );
    expect(() => plantIn('x = a;', { within: 'x = a;', sound: 'b', faulty: '' })).toThrow(
      /occurs nowhere: b/,
    );
  });

  it('fail if two of them change the same place', () => {
    const sources: Sources = new Map([['native/a.h', 'x = a + b;']]);
    const some = ['a + b', 'b'].map((sound) => plant(sources, sound, { sound, faulty: '' }));
    expect(() => mutated(sources, some)).toThrow('native/a.h: mutations overlap');
  });
});

function plantIn(text: string, fault: Parameters<typeof plant>[2]): string | undefined {
  const sources: Sources = new Map([['native/a.h', text]]);
  return mutated(sources, [plant(sources, 'kAny', fault)]).get('native/a.h');
}
