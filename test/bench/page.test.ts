/// <reference lib="dom" />
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { page } from '../../bench/harness/report/page.js';
import { chromiumPath } from './chromium.js';
import { groups, sampleRun } from './sample-run.js';

const markup = page(await sampleRun());
const executablePath = chromiumPath();

describe('the page', () => {
  it('needs nothing beside itself', () => {
    expect(markup).not.toMatch(/<script|<link rel="stylesheet"|@import|url\(|https?:/);
  });

  it('shows text as text, whatever is in it', () => {
    expect(markup).toContain('Speed &#60;of&#62; things &#38; others');
    expect(markup).toContain('How fast &#34;each&#34; is.');
  });

  it('says first which bars are met and missed, and has links to all groups', () => {
    const [, first = ''] = /<h1>.*?<\/h1>(.*?)<nav/s.exec(markup) ?? [];
    const text = first.replaceAll(/<[^>]*>/g, '').replaceAll(/\s+/g, ' ');
    expect(text).toMatch(
      /^sluice passes \d+ of \d+ bars and misses 1: \d+ more were not measured\. delay vs/,
    );
    const links = [...markup.matchAll(/<a href="#([\w-]+)">/g)].map(([, id]) => id);
    expect(links).toEqual(['bars', ...groups.map(({ name }) => name)]);
    for (const id of links) expect(markup.split(`id="${id}"`).length, id).toBe(2);
  });

  it('shows every figure, why one is missing, what failed, and whether each bar holds', () => {
    expect(markup).toContain('9.00 M/s');
    expect(markup).toContain('8.00 M/s to 10.0 M/s');
    expect(markup).toContain('<small>sluice / Atomics ring</small>');
    expect(markup).toContain('no redis-server here');
    expect(markup).toContain('it broke');
    expect(markup).toMatch(/<div class="verdict met">\s*<span class="claim">speed vs Atomics ring/);
    expect(markup).toMatch(/<div class="verdict not-measured">\s*<span class="claim">speed vs Redis/);
    expect(markup).toMatch(/<div class="verdict missed">\s*<span class="claim">delay vs MessagePort/);
  });
});

if (executablePath === undefined) console.warn('skipped: no Chromium found (SLUICE_CHROMIUM names one)');

describe.skipIf(executablePath === undefined)('in Chromium, the page', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-page-'));
  const file = join(directory, 'report.html');
  let browser: Browser;

  beforeAll(async () => {
    writeFileSync(file, markup);
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ['--no-sandbox'], // CI runs as root
    });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it.each([
    { device: 'a phone', width: 360, colorScheme: 'light' as const },
    { device: 'a phone', width: 360, colorScheme: 'dark' as const },
    { device: 'a desk', width: 1280, colorScheme: 'light' as const },
    { device: 'a desk', width: 1280, colorScheme: 'dark' as const },
  ])('fits $device in $colorScheme without an error', async ({ width, colorScheme }) => {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
    const tab = await context.newPage();
    const complaints: string[] = [];
    tab.on('console', (message) => complaints.push(message.text()));
    tab.on('pageerror', (error) => complaints.push(error.message));
    tab.on('requestfailed', (request) => complaints.push(request.url()));
    await tab.goto(pathToFileURL(file).href);

    // Each group is closed until a reader opens it, or follows its link.
    await tab.evaluate(() => {
      for (const group of document.querySelectorAll('details')) group.open = true;
    });
    const seen = await tab.evaluate(() => ({
      width: document.documentElement.scrollWidth,
      background: getComputedStyle(document.body).backgroundColor,
      charts: [...document.querySelectorAll('svg[role=img]')].map(
        (chart) => chart.getBoundingClientRect().width,
      ),
      smallest: Math.min(
        ...[...document.querySelectorAll('p, span, small, text, dd, dt')].map((element) =>
          Number.parseFloat(getComputedStyle(element).fontSize),
        ),
      ),
    }));
    expect(complaints).toEqual([]);
    expect(seen.width).toBe(width); // nothing to scroll sideways for
    expect(seen.smallest).toBeGreaterThanOrEqual(12);
    expect(seen.charts.length).toBeGreaterThanOrEqual(6);
    expect(Math.min(...seen.charts)).toBeGreaterThan(150);
    expect(seen.background).toBe(colorScheme === 'dark' ? 'rgb(16, 21, 28)' : 'rgb(246, 247, 249)');
    await context.close();
  });
});
