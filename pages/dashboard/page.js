// The script of the dashboard's page. It runs in a browser, and shows what lib/observe/dashboard.ts sends.
const { uPlot } = globalThis;
const framesMax = 180;

/** The frames that the charts show, oldest first. */
let frames = [];
let charts = [];

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const count = (value) => (value === undefined || value === null ? '–' : whole.format(value));
const ms = (value) => (value === undefined || value === null ? '–' : `${short.format(value)} ms`);
const byId = (id) => document.getElementById(id);

/** The charts: what each draws of a frame. Lines differ in their dashes, too, so that colour is not needed. */
const drawings = {
  rates: [
    ['in', ({ queue }) => queue?.in],
    ['out', ({ queue }) => queue?.out],
    ['refused', ({ refused }) => refused],
  ],
  depth: [
    ['depth', ({ queue }) => queue?.depth],
    ['producers that wait', ({ queue }) => queue?.waiting],
  ],
  waits: [
    ['50 %', ({ queue }) => queue?.waits?.p50],
    ['99 %', ({ queue }) => queue?.waits?.p99],
    ['99.9 %', ({ queue }) => queue?.waits?.p999],
  ],
};
const dashes = [[], [8, 4], [2, 3]];
const marks = ['solid', 'dashed', 'dotted'];
const colours = ['--first', '--second', '--third'];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function columnsOf(lines) {
  return [
    frames.map(({ at }) => at / 1000),
    ...lines.map(([, of]) => frames.map((frame) => of(frame) ?? null)),
  ];
}

function draw() {
  for (const { plot } of charts) plot.destroy();
  const axis = {
    stroke: colour('--dim'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
  };
  charts = Object.entries(drawings)
    .filter(([id]) => !byId(`${id}-card`).hidden)
    .map(([id, lines]) => {
      const box = byId(id);
      const series = lines.map(([label], i) => {
        return {
          label,
          stroke: colour(colours[i]),
          width: 2,
          dash: dashes[i],
          value: (_, v) => (v === null ? '–' : short.format(v)),
        };
      });
      const options = {
        width: Math.max(200, box.clientWidth),
        height: 180,
        legend: { live: true, markers: { width: 2, dash: (_, i) => marks[i - 1] } },
        scales: { y: { range: (_, __, max) => [0, Math.max(1, (max ?? 0) * 1.1)] } },
        axes: [
          axis,
          { ...axis, size: 60, values: (_, values) => values.map((value) => short.format(value)) },
        ],
        series: [{ label: 'time' }, ...series],
      };
      return { box, lines, plot: new uPlot(options, columnsOf(lines), box) };
    });
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

/** Fills a table: the first cell of a row is its heading. */
function fill(id, head, rows) {
  const table = byId(id);
  table.textContent = '';
  const heading = table.createTHead().insertRow();
  for (const text of head) {
    const cell = element('th', text);
    cell.scope = 'col';
    heading.append(cell);
  }
  const body = table.createTBody();
  for (const [first, ...rest] of rows) {
    const row = body.insertRow();
    const cell = element('th', first);
    cell.scope = 'row';
    row.append(cell, ...rest.map((text) => element('td', text)));
  }
}

function showFigures({ queue, refused, inHand, inFlight, loop }) {
  const all = [
    ['In the queue', queue && `${count(queue.depth)} of ${count(queue.capacity)}`],
    ['In, per second', queue && count(queue.in)],
    ['Out, per second', queue && count(queue.out)],
    ['Refused, per second', refused === undefined ? undefined : count(refused)],
    ['Wait, 99 %', queue?.waits && ms(queue.waits.p99)],
    ['Orders in hand', inHand === undefined ? undefined : count(inHand)],
    ['In flight', inFlight === undefined ? undefined : count(inFlight)],
    ['Event loop late, 99 %', ms(loop.lateMs)],
    ['Event loop busy', `${count(100 * loop.busy)} %`],
  ];
  byId('figures').replaceChildren(
    ...all
      .filter(([, text]) => text !== undefined)
      .map(([name, text]) => {
        const figure = document.createElement('div');
        figure.append(element('span', name), element('b', text));
        return figure;
      }),
  );
}

let noticesShown = '';
function showNotices(notices) {
  const text = JSON.stringify(notices);
  if (text === noticesShown) return; // a screen reader would read them again
  noticesShown = text;
  byId('notices').replaceChildren(
    ...notices.map(({ isAlarm, text }) => {
      const item = document.createElement('li');
      if (isAlarm) item.className = 'alarm';
      item.append(element('strong', isAlarm ? 'Alarm' : 'Notice'), text);
      return item;
    }),
  );
}

/** Shows a part of the page only if there are figures for it. */
function showCards(frame) {
  const shown = {
    rates: frame.queue !== undefined,
    depth: frame.queue !== undefined,
    waits: frame.queue?.waits !== undefined,
    outcomes: frame.outcomes !== undefined,
    tiers: frame.tiers !== undefined,
    stock: frame.stock !== undefined,
    crew: frame.crew !== undefined,
    redis: frame.redis !== undefined,
  };
  let changed = false;
  for (const [name, isShown] of Object.entries(shown)) {
    const card = byId(`${name}-card`);
    changed ||= card.hidden === isShown;
    card.hidden = !isShown;
  }
  return changed;
}

function showWorkers(workers) {
  const share = (value) => (value === undefined ? '–' : `${count(100 * value)} %`);
  const rows = workers.map(({ name, state, processors, busy, rssBytes, inHand, handled }) => [
    ...[name, state, share(processors), share(busy)],
    rssBytes === undefined ? '–' : `${count(rssBytes / 2 ** 20)} MiB`,
    ...[count(inHand), count(handled)],
  ]);
  fill('workers', ['worker', 'state', 'processor', 'event loop', 'memory', 'in hand', 'handled'], rows);
}

function showTable() {
  if (!byId('more').open) return;
  const head = ['time', 'in', 'out', 'refused', 'depth', '50 %', '99 %', '99.9 %'];
  const rows = frames
    .slice(-60)
    .reverse()
    .map(({ at, queue, refused }) => {
      const waits = queue?.waits;
      const time = new Date(at).toLocaleTimeString('en', { hour12: false });
      return [
        ...[time, count(queue?.in), count(queue?.out), count(refused), count(queue?.depth)],
        ...[ms(waits?.p50), ms(waits?.p99), ms(waits?.p999)],
      ];
    });
  fill('data', head, rows);
}

function show(added) {
  frames = [...frames, ...added].slice(-framesMax);
  const frame = frames.at(-1);
  if (frame === undefined) return;
  if (showCards(frame) || charts.length === 0) draw();
  else for (const { plot, lines } of charts) plot.setData(columnsOf(lines));
  showNotices(frame.notices);
  showFigures(frame);
  const head = (name) => [name, 'per second', 'in all'];
  const rows = (list = []) => list.map(({ name, rate, total }) => [name, count(rate), count(total)]);
  fill('outcomes', head('answer'), rows(frame.outcomes));
  fill('tiers', head('tier'), rows(frame.tiers));
  fill(
    'stock',
    ['item', 'available', 'held', 'sold'],
    (frame.stock ?? []).map(({ item, available, reserved, sold }) => [
      item,
      ...[available, reserved, sold].map(count),
    ]),
  );
  showWorkers(frame.workers);
  const figure = ({ name, value }) => [name, typeof value === 'string' ? value : count(value)];
  for (const name of ['crew', 'redis']) fill(name, ['figure', 'value'], (frame[name] ?? []).map(figure));
  showTable();
}

let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width) return; // a phone's address bar has come or gone
  width = innerWidth;
  draw();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
byId('more').addEventListener('toggle', showTable);

for (const box of document.querySelectorAll('.scroll')) box.tabIndex = 0; // so that the keyboard scrolls it

const events = location.pathname.replace(/\/?$/, '/events');
const againMs = 5_000;
/** Why the server refuses the stream, by the status of its answer. */
const reasons = {
  401: 'the address with the token is needed again',
  503: 'it has as many viewers as it takes, or was closed',
};

function connect() {
  const source = new EventSource(events);
  source.addEventListener('history', ({ data }) => {
    frames = [];
    byId('state').textContent = 'live';
    show(JSON.parse(data));
  });
  source.addEventListener('frame', ({ data }) => show([JSON.parse(data)]));
  source.addEventListener('error', () => {
    byId('state').textContent = 'not connected: the figures are old';
    // A browser tries again by itself when the connection fails, but not when the answer is no stream.
    if (source.readyState === EventSource.CLOSED) refused();
  });
}

/** Says why the server refused the stream, and asks again later. */
function refused() {
  setTimeout(connect, againMs);
  fetch(events, { method: 'HEAD' })
    .then(({ status }) => {
      if (reasons[status]) byId('state').textContent = `not connected: ${reasons[status]}`;
    })
    .catch(() => {}); // it is not there at all
}

connect();
