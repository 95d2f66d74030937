import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const page = readFileSync(new URL('../../docs/guide/benchmarks.md', import.meta.url), 'utf8');

it('the first paragraph of docs/guide/benchmarks.md counts the bars of its tables for Node.js 20', () => {
  const bars = page.slice(page.indexOf('<!-- bars: begin -->'), page.indexOf('<!-- bars: end -->'));
  const sale = page.slice(page.indexOf('### One sale over several'), page.indexOf('### Before and after'));
  const count = (mark: string) => `${bars}\n${sale}`.split(`| ${mark} |`).length - 1;
  const [met, missed] = [count('met'), count('**missed**')];
  expect(met).toBeGreaterThan(0);
  expect(missed).toBeGreaterThan(0);
  expect(page.split('\n## ')[0]).toContain(`of ${met + missed} bars below, ${missed} are missed`);
});
