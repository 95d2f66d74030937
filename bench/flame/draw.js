/**
 * Draws flame graphs as SVG with d3-flame-graph. That package draws in a browser, so this module starts a headless
 * Chromium; no maintained npm package writes the SVG without a browser.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';

const WIDTH = 1_400;
const CELL_HEIGHT = 18;
const places = [
  process.env['SLUICE_CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const require = createRequire(import.meta.url);
const drawer = require.resolve('d3-flame-graph');
/**
 * The modules of d3 that d3-flame-graph needs, in the order in which they are loaded. Each is one file that adds itself
 * to the global `d3`.
 */
const parts = [
  ...['dispatch', 'timer', 'color', 'interpolate', 'ease', 'selection', 'transition'],
  ...['array', 'format', 'hierarchy', 'time', 'time-format', 'scale'],
];

function scripts() {
  const { resolve } = createRequire(drawer);
  const files = parts.map((part) => join(dirname(dirname(resolve(`d3-${part}`))), 'dist', `d3-${part}.js`));
  return [...files, join(dirname(drawer), 'd3-flamegraph.umd.js')];
}

/**
 * @param {{ title: string, tree: import('./call-tree.js').CallTree }[]} graphs
 * @returns {Promise<string[]>} an SVG for each
 */
export async function drawFlameGraphs(graphs) {
  const executablePath = places.find((place) => place !== undefined && existsSync(place));
  if (executablePath === undefined) {
    throw new Error('drawing takes an installed Chromium: name it in SLUICE_CHROMIUM');
  }
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.setContent('<!doctype html><div id="chart"></div>');
    for (const path of scripts()) await page.addScriptTag({ path });
    const style = readFileSync(join(dirname(drawer), 'd3-flamegraph.css'), 'utf8');
    const drawn = [];
    for (const graph of graphs) {
      drawn.push(await page.evaluate(drawInPage, { ...graph, width: WIDTH, cellHeight: CELL_HEIGHT, style }));
    }
    return drawn;
  } finally {
    await browser.close();
  }
}

/**
 * Runs in the page.
 * @param {{ title: string, tree: object, width: number, cellHeight: number, style: string }} graph
 */
function drawInPage({ title, tree, width, cellHeight, style }) {
  const d3 = /** @type {any} */ (globalThis)['d3'];
  const { default: flamegraph } = /** @type {any} */ (globalThis)['flamegraph'];
  const box = /** @type {Element} */ (document.querySelector('#chart'));
  box.innerHTML = '';
  const draw = flamegraph()
    .width(width)
    .cellHeight(cellHeight)
    .minFrameSize(1)
    .transitionDuration(0)
    .title(title)
    .inverted(false);
  d3.select('#chart').datum(tree).call(draw);
  const svg = /** @type {SVGElement} */ (box.querySelector('svg'));
  // In the page, a transition would still widen each cell to the width of its group. The copy gets that width at once.
  const still = /** @type {SVGElement} */ (svg.cloneNode(true));
  for (const cell of still.querySelectorAll('rect')) {
    cell.setAttribute('width', cell.parentElement?.getAttribute('width') ?? '0');
  }
  // Labels are HTML inside the SVG, which only browsers show. Plain text is shown everywhere.
  for (const label of [...still.querySelectorAll('foreignObject')]) {
    const text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
    const frame = label.parentElement;
    const room = Math.floor((Number(frame?.getAttribute('width')) - 6) / 7);
    text.setAttribute('x', '4');
    text.setAttribute('y', String(cellHeight - 5));
    text.setAttribute('font-size', '12');
    text.setAttribute('font-family', 'sans-serif');
    text.textContent = room < 3 ? '' : (frame?.getAttribute('name') ?? '').slice(0, room);
    label.replaceWith(text);
  }
  const sheet = document.createElementNS('http://www.w3.org/2000/svg', 'style');
  sheet.textContent = style;
  still.prepend(sheet);
  still.setAttribute('viewBox', `0 0 ${still.getAttribute('width')} ${still.getAttribute('height')}`);
  return new XMLSerializer().serializeToString(still);
}
