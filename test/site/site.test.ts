/// <reference lib="dom" />
import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chromiumPath } from '../bench/chromium.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const site = join(root, 'build/docs');
const { repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const source = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main/`;
if (!existsSync(join(site, 'index.html'))) throw new Error('there is no site: "npm run docs" builds it');

/** The text of each page, by its path. */
const pages = new Map(
  readdirSync(site, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.html'))
    .map((path) => [`/${path}`, readFileSync(join(site, path), 'utf8')]),
);
/** The pages that the browser looks at: of those that are alike, only some. */
const written = [...pages.keys()].filter(
  (path) => !/^\/(?:reference|errors\/ERR_SLUICE_[^F])/.test(path) && path !== '/404.html',
);
const generated = [
  'index',
  'sluice/classes/Stock',
  'sluice/interfaces/LimiterOptions',
  'sluice/http/index',
].map((name) => `/reference/${name}.html`);

/** Returns the path of the page, or of the other file, to which a link of the site leads. */
function fileOf(path: string): string {
  return path.endsWith('/') ? `${path}index.html` : path;
}

function idsOf(page: string): Set<string> {
  return new Set([...(pages.get(page) ?? '').matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id));
}

/** Returns what is wrong with a link of a page; undefined if it leads somewhere. */
function fault(page: string, href: string): string | undefined {
  if (href.startsWith(source)) {
    const [file = ''] = href.slice(source.length).split('#');
    return existsSync(join(root, file)) ? undefined : `${href}: no such file`;
  }
  if (/^[a-z]+:/.test(href)) return undefined; // another site
  const [path = '', anchor] = href.split('#');
  const target =
    path === '' ? page : fileOf(posix.resolve(posix.dirname(page), path) + (path.endsWith('/') ? '/' : ''));
  if (!existsSync(join(site, target))) return `${href}: no such page`;
  if (anchor === undefined || anchor === '' || !pages.has(target)) return undefined;
  return idsOf(target).has(decodeURIComponent(anchor)) ? undefined : `${href}: no such heading`;
}

describe('the site', () => {
  it('has no link that leads nowhere, in its pages and its sidebar', () => {
    let checked = 0;
    const faults: string[] = [];
    for (const [page, text] of pages) {
      if (page === '/404.html') continue;
      for (const [, href = ''] of text.matchAll(/<a\b[^>]* href="([^"]*)"/g)) {
        checked++;
        const found = fault(page, href.replaceAll('&amp;', '&'));
        if (found !== undefined) faults.push(`${page}: ${found}`);
      }
    }
    expect(checked).toBeGreaterThan(5_000);
    expect([...new Set(faults)]).toEqual([]);
  });

  it('has every page of docs/', () => {
    const sources = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.md') && !path.startsWith('node_modules'))
      .map((path) => `/${path.replace(/\.md$/, '.html')}`);
    expect(sources.length).toBeGreaterThan(200);
    expect(sources.filter((path) => !pages.has(path))).toEqual([]);
  });

  it('leads to every written page from its sidebar', () => {
    const sidebar = pages.get('/quick-start.html') ?? '';
    const led = new Set([...sidebar.matchAll(/ href="(\/[^"#]*)"/g)].map(([, href = '']) => fileOf(href)));
    const generated = /^\/(?:reference\/sluice|errors\/ERR|404)/;
    expect([...pages.keys()].filter((path) => !generated.test(path) && !led.has(path))).toEqual([]);
  });
});

const executablePath = chromiumPath();
if (executablePath === undefined) console.warn('skipped: no Chromium found (SLUICE_CHROMIUM names one)');

describe.skipIf(executablePath === undefined)('in Chromium, the site', () => {
  const types: Readonly<Record<string, string>> = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.woff2': 'font/woff2',
    '.json': 'application/json',
  };
  let server: Server;
  let browser: Browser;
  let address: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const file = join(site, fileOf(new URL(request.url ?? '/', 'http://localhost').pathname));
      const isThere = file.startsWith(site) && existsSync(file);
      response.writeHead(isThere ? 200 : 404, { 'content-type': types[extname(file)] ?? 'text/plain' });
      if (isThere) createReadStream(file).pipe(response);
      else response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({
      ...(executablePath === undefined ? {} : { executablePath }),
      args: ['--no-sandbox'], // CI runs as root
    });
  });
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  /** Opens a tab; `complaints` has what its pages wrote to the console, and the requests that failed. */
  async function opened(width: number, context?: BrowserContext) {
    const tab = await (context ?? (await browser.newContext({ viewport: { width, height: 800 } }))).newPage();
    const complaints: string[] = [];
    tab.on('console', (message) => complaints.push(`${tab.url()}: ${message.text()}`));
    tab.on('pageerror', (error) => complaints.push(`${tab.url()}: ${error.message}`));
    tab.on('request', (request) => {
      if (!request.url().startsWith(address)) complaints.push(`${tab.url()} asks for ${request.url()}`);
    });
    tab.on('response', (response) => {
      if (response.status() >= 400) complaints.push(`${response.url()}: ${response.status()}`);
    });
    return { tab, complaints };
  }

  it.each([
    { device: 'a phone', width: 390 },
    { device: 'a desk', width: 1280 },
  ])('fits $device: no page is wider, none reports an error', async ({ width }) => {
    const { tab, complaints } = await opened(width);
    const wide: string[] = [];
    for (const page of [...written, ...generated]) {
      await tab.goto(address + page);
      await tab.waitForFunction(() => document.querySelector('.VPContent') !== null);
      const shown = await tab.evaluate(() => document.documentElement.scrollWidth);
      if (shown > width) wide.push(`${page}: ${shown}`);
    }
    await tab.context().close();
    expect({ wide, complaints }).toEqual({ wide: [], complaints: [] });
  });

  it('finds a page by a word, without a service outside', async () => {
    const { tab, complaints } = await opened(1280);
    await tab.goto(`${address}/quick-start.html`);
    await tab.getByRole('button', { name: 'Search' }).click();
    await tab.getByRole('searchbox').fill('ERR_SLUICE_WAITERS');
    await tab.locator('.result').first().click();
    await tab.waitForURL(/WAITERS/);
    expect(complaints).toEqual([]);
    await tab.context().close();
  });
});
