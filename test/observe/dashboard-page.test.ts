/// <reference lib="dom" />
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { Gate, Limiter, Queue, Stock } from 'sluice';
import { dashboard } from 'sluice/dashboard';
import { dispatch } from 'sluice/dispatch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../bench/chromium.js';
import { fields, Order, order } from '../gate/order.js';
import { mistyped } from '../mistyped.js';

const executablePath = chromiumPath();
const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

if (executablePath === undefined) console.warn('skipped: no Chromium found (SLUICE_CHROMIUM names one)');

describe.skipIf(executablePath === undefined)('in Chromium, the dashboard', () => {
  let browser: Browser;
  let server: Server;
  let address: string;
  let sale: NodeJS.Timeout;
  let ended: () => Promise<unknown>;

  beforeAll(async () => {
    const queue = Queue.create(Order, { capacity: 1_000, latency: true });
    const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 400, burst: 50 } });
    const stock = Stock.create({
      items: [
        { sku: 1, quantity: 20 },
        { sku: 2, quantity: 100_000 },
      ],
    });
    const gate = Gate.create({ queue, limiter, stock, fields });
    const handler = new URL('./workers/quiet-handler.js', import.meta.url);
    const crew = dispatch(gate, { workers: 2, handler, deadLetters: () => {} });
    ended = () => crew.close({ timeoutMs: 0 });
    await crew.ready;
    let id = 0;
    sale = setInterval(() => {
      for (let i = 0; i < 10; i++) gate.admit(order(id++, { sku: (id % 2) + 1 }));
    }, 10);
    // As a server of Redis answers: test/observe/dashboard-redis.test.ts has a real one.
    const redis = {
      queue: { stats: () => ({ pushed: id, retries: 0 }), depth: () => Promise.resolve(id % 9) },
      workers: {
        stats: () => ({ isRunning: true, failed: 5 }),
        backlog: () =>
          Promise.resolve({ entries: id % 9, pending: 3, unread: 1, waiting: 2, deadLetters: 4 }),
        consumers: () => Promise.resolve([{ name: '<b>till</b>:1', pending: 3, idleMs: 10 }]),
      },
    };
    const shown = {
      queue,
      limiter,
      stock,
      gate,
      crew,
      skus: [1, 2],
      workers: () => ({ database: process.ppid }),
    };
    const board = dashboard({ ...shown, redis: mistyped(redis), intervalMs: 100 });
    server = createServer(board.handler);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=${board.token}`;
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ['--no-sandbox'], // CI runs as root
    });
  });

  afterAll(async () => {
    clearInterval(sale);
    await ended?.();
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  async function opened(width: number, colorScheme: 'light' | 'dark') {
    // axe-core is no script of the page, so the page's policy is not applied to what the test evaluates.
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const tab = await context.newPage();
    const complaints: string[] = [];
    tab.on('console', (message) => complaints.push(message.text()));
    tab.on('pageerror', (error) => complaints.push(error.message));
    await tab.goto(address);
    await tab.waitForFunction(() => document.querySelectorAll('canvas').length === 3);
    return { context, tab, complaints };
  }

  /** Returns the pixels of the charts, and their labels. */
  const drawn = (tab: Page) =>
    tab.evaluate(() => [...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()));

  it.each([
    { device: 'a phone', width: 390, colorScheme: 'light' as const },
    { device: 'a phone', width: 390, colorScheme: 'dark' as const },
    { device: 'a desk', width: 1280, colorScheme: 'light' as const },
    { device: 'a desk', width: 1280, colorScheme: 'dark' as const },
  ])('moves, fits $device in $colorScheme, and has no error and no fault that axe finds', async (one) => {
    const { context, tab, complaints } = await opened(one.width, one.colorScheme);
    await tab.waitForFunction(() => document.querySelector('#stock')?.textContent?.includes('20'));
    const before = await drawn(tab);
    await tab.waitForFunction(
      (old) => [...document.querySelectorAll('canvas')].every((canvas, i) => canvas.toDataURL() !== old[i]),
      before,
      { timeout: 20_000 },
    );
    const seen = await tab.evaluate(() => ({
      address: location.search,
      width: document.documentElement.scrollWidth,
      background: getComputedStyle(document.body).backgroundColor,
      outside: [...document.querySelectorAll('.chart')].filter(
        (chart) => chart.scrollWidth > chart.clientWidth + 1,
      ).length,
      notices: [...document.querySelectorAll('#notices li')].map((item) => [
        item.className,
        item.textContent,
      ]),
      tables: ['crew', 'redis'].map((id) => document.querySelector(`#${id}`)?.textContent ?? ''),
      workers: [...document.querySelectorAll('#workers tbody tr')].map((line) =>
        [...line.children].map((cell) => cell.textContent ?? ''),
      ),
    }));
    expect(seen).toMatchObject({
      address: '',
      width: one.width,
      outside: 0,
      background: one.colorScheme === 'dark' ? 'rgb(16, 21, 28)' : 'rgb(246, 247, 249)',
      notices: [
        ['', 'NoticeSold out: item 1.'],
        ['', 'NoticeDead letters in Redis: 4.'],
      ],
    });
    expect(seen.tables[0]).toMatch(/Crew: handled\d/);
    expect(seen.tables[1]).toMatch(
      /stream\d.*Pending: read and not done3Waiting for another try2Dead letters4.*Queue: retries0.*Workers: failed5/,
    );
    expect(seen.workers).toEqual([
      ...[`this process: ${process.pid}`, `database: ${process.ppid}`].map((name) => [
        ...[name, 'up', expect.stringMatching(/ %$/), '–'],
        ...[expect.stringMatching(/ MiB$/), '–', '–'],
      ]),
      ...[0, 1].map((i) => [
        ...[`Crew: worker ${i}`, 'up', '–', expect.stringMatching(/ %$/), '–'],
        ...[expect.stringMatching(/^\d+$/), expect.stringMatching(/^[\d,]+$/)],
      ]),
      ['Redis: <b>till</b>:1', 'up', '–', '–', '–', '3', '–'],
    ]);
    await tab.evaluate(axe);
    const violations = await tab.evaluate(async () => {
      const { axe: tool } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: Array<{ id: string; nodes: Array<{ html: string }> }> }> };
      };
      return (await tool.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
    });
    expect(violations).toEqual([]);
    expect(complaints).toEqual([]);
    const to = process.env['SLUICE_SCREENSHOTS'];
    if (to !== undefined) {
      await tab.screenshot({ path: `${to}/${one.width}-${one.colorScheme}.png`, fullPage: true });
    }
    await context.close();
  });

  it('can be used by keyboard: the table of the charts opens and has their figures', async () => {
    const { context, tab } = await opened(1280, 'light');
    await tab.waitForFunction(() => document.querySelector('#stock')?.textContent?.includes('20'));
    for (let i = 0; i < 12; i++) {
      await tab.keyboard.press('Tab');
      if ((await tab.evaluate(() => document.activeElement?.tagName)) === 'SUMMARY') break;
    }
    await tab.keyboard.press('Enter');
    await tab.waitForFunction(() => document.querySelectorAll('#data tbody tr').length > 2);
    const head = await tab.evaluate(() =>
      [...document.querySelectorAll('#data thead th')].map((th) => th.textContent),
    );
    expect(head).toEqual(['time', 'in', 'out', 'refused', 'depth', '50 %', '99 %', '99.9 %']);
    await context.close();
  });

  it('says why it has no figures while sixteen others look, and has them when one leaves', async () => {
    const opening = await fetch(address, { redirect: 'manual' });
    const headers = { cookie: opening.headers.get('set-cookie')?.split(';')[0] ?? '' };
    const stay = new AbortController();
    const look = () => fetch(new URL('/events', address), { headers, signal: stay.signal });
    // The tabs of earlier tests may be among the sixteen, and leave when the server notices.
    for (let refusals = 0; refusals < 10; ) {
      const { status } = await look();
      if (status !== 503) refusals = 0;
      else if (++refusals < 10) await sleep(50);
    }
    const context = await browser.newContext();
    const tab = await context.newPage();
    await tab.goto(address);
    await tab.waitForFunction(() =>
      document.querySelector('#state')?.textContent?.includes('as many viewers'),
    );
    stay.abort();
    await tab.waitForFunction(() => document.querySelector('#state')?.textContent === 'live');
    await context.close();
  });

  it('says that its figures are old when the server is away', async () => {
    const { context, tab } = await opened(390, 'light');
    await tab.waitForFunction(() => document.querySelector('#state')?.textContent === 'live');
    await context.setOffline(true);
    server.closeAllConnections();
    await tab.waitForFunction(() =>
      document.querySelector('#state')?.textContent?.startsWith('not connected'),
    );
    await context.setOffline(false);
    await tab.waitForFunction(() => document.querySelector('#state')?.textContent === 'live');
    await context.close();
  });
});
