/**
 * A page that shows a sale live.
 *
 * @module sluice/dashboard
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { clearInterval, setInterval } from 'node:timers';
import type { Crew } from '../dispatch/index.js';
import { copiedList, Options, optionError } from '../input/index.js';
import { page } from './dashboard-page.js';
import { type Frame, Frames, type Others } from './frames.js';
import { type ObservedParts, Parts, partsOptions } from './parts.js';
import { type ObservedRedis, RedisWatch } from './redis-watch.js';
import { type NamedWorkers, WorkerRows } from './workers.js';

export type { ObservedParts } from './parts.js';
export type { ObservedRedis } from './redis-watch.js';
export type { NamedWorkers } from './workers.js';

/** The options of `dashboard`. */
export interface DashboardOptions extends Omit<ObservedParts, 'labels'> {
  /** A crew of `dispatch`: its figures, and a row for each of its workers. */
  readonly crew?: Pick<Crew<unknown>, 'stats'> | undefined;
  /**
   * A `RedisQueue`, `RedisWorkers`, or both: their counts, and what the server says of the stream and its group. The
   * server is asked once a frame, three commands in all, while somebody looks; it has one such question at a time.
   */
  readonly redis?: ObservedRedis | undefined;
  /**
   * Returns other threads and processes, by the names under which the page shows them: each a `Worker`, whose event
   * loop is shown, or the number of a process, whose processor time and memory are shown on Linux. Called once a
   * frame. Rows after the first 100 are left out. The page shows its own process anyway.
   */
  readonly workers?: (() => NamedWorkers) | undefined;
  /** The heading: at most 100 characters. Default: 'Flash sale'. */
  readonly title?: string | undefined;
  /**
   * The secret that opens the page: 16 to 256 letters, digits, `-` and `_`. Default: a new one of 128 bits.
   */
  readonly token?: string | undefined;
  /**
   * The names, without a port, under which browsers may ask for the page: 1 to 100. A request for another host is
   * refused, so that no foreign name that resolves to this machine reaches the page. Default: 'localhost', '127.0.0.1'
   * and '[::1]'.
   */
  readonly hosts?: readonly string[] | undefined;
  /** The time between two frames, in milliseconds: 100 to 60,000. Default: 1,000. */
  readonly intervalMs?: number | undefined;
}

/** What `dashboard` returns. */
export interface Dashboard {
  /** Handles the requests of a `node:http` server, or of a path of Express. It answers every request. */
  readonly handler: (request: IncomingMessage, response: ServerResponse) => void;
  /** The secret: open the page with `?token=` and this. The page then has it in a cookie. */
  readonly token: string;
  /**
   * Ends the streams of all viewers; no more are accepted.
   *
   * @throws Nothing.
   * @example
   * board.close();
   */
  close(): void;
}

const viewersMax = 16;
/** How many frames a new viewer gets. */
const historyMax = 180;
/** A viewer with more unsent bytes misses frames. */
const unsentMax = 64 * 1_024;
const where = 'dashboard';

/**
 * Makes a page that shows the figures of a sale while it runs: the queue, the answers of the gate, waits, stock,
 * refusals and the event loop of this thread. It is read only. While nobody looks, it costs nothing.
 *
 * @param options The objects that it shows, and who may look.
 * @returns The handler for a server, and the token.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad, missing or unknown option.
 * @example
 * const { handler, token } = dashboard({ queue, limiter, stock, gate, skus: [1001] });
 * createServer(handler).listen(8080, '127.0.0.1', () => log.info(`http://localhost:8080/?token=${token}`));
 */
export function dashboard(options: DashboardOptions): Dashboard {
  const given = partsOptions(where, options, [
    'crew',
    'redis',
    'workers',
    'title',
    'token',
    'hosts',
    'intervalMs',
  ]);
  if (given.has('labels')) throw optionError(`${where}: labels`, 'no labels', given.get('labels'), true);
  const board = new Board(given);
  return {
    handler: (request, response) => board.answer(request, response),
    token: board.token,
    close: () => board.close(),
  };
}

class Board {
  readonly token: string;
  readonly #parts: Parts;
  /** Browsers have one set of cookies for all ports of a host, so each token has a cookie of its own. */
  readonly #cookieName: string;
  readonly #title: string;
  readonly #hosts: ReadonlyArray<string>;
  readonly #intervalMs: number;
  readonly #crew: Pick<Crew<unknown>, 'stats'> | undefined;
  readonly #redis: ObservedRedis | undefined;
  readonly #workers: (() => NamedWorkers) | undefined;
  readonly #viewers = new Set<ServerResponse>();
  #history: Frame[] = [];
  #frames: Frames | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(given: Options) {
    this.#parts = new Parts(where, given);
    this.token =
      checkedText(given, 'token', /^[\w-]{16,256}$/, '16 to 256 letters, digits, - and _') ?? newToken();
    this.#cookieName = `sluice-dashboard-${digest(this.token).toString('hex', 0, 4)}`;
    this.#title =
      checkedText(given, 'title', /^.{1,100}$/u, '1 to 100 characters on one line') ?? 'Flash sale';
    this.#intervalMs = given.integer('intervalMs', 100, 60_000, 1_000);
    this.#hosts = checkedHosts(given.get('hosts'));
    this.#crew = checkedMethods(`${where}: crew`, given.get('crew'), ['stats']);
    this.#redis = checkedRedis(given.get('redis'));
    this.#workers = given.callback<() => NamedWorkers>('workers');
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const host = request.headers.host ?? request.headers[':authority'];
    if (typeof host !== 'string' || !this.#hosts.includes(host.toLowerCase().replace(/:\d{1,5}$/, ''))) {
      refuse(response, 421, 'This page is not served under that name: see the option hosts.');
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      refuse(response, 405, 'This page is read only.');
    } else {
      this.#answerTo(request, response);
    }
  }

  #answerTo(request: IncomingMessage, response: ServerResponse): void {
    const [path = '', query] = (request.url ?? '').split('?', 2);
    const asked = new URLSearchParams(query).get('token');
    if (asked !== null && isSame(asked, this.token)) {
      const cookie = `${this.#cookieName}=${this.token}; HttpOnly; SameSite=Strict; Path=/`;
      // '?' is the same path, with an empty query: the token leaves the address.
      response.writeHead(303, { location: '?', 'set-cookie': cookie, ...common }).end();
    } else if (!cookiesOf(request, this.#cookieName).some((value) => isSame(value, this.token))) {
      refuse(response, 401, 'Open the address that has the token: it ends in ?token=...');
    } else if (path.endsWith('/events')) {
      this.#stream(request, response);
    } else if (path === '' || path.endsWith('/')) {
      this.#page(request, response);
    } else {
      refuse(response, 404, 'There is nothing here: the address of the page ends in /.');
    }
  }

  #page(request: IncomingMessage, response: ServerResponse): void {
    const nonce = randomBytes(16).toString('base64');
    const policy = [
      ...[
        "default-src 'none'",
        `script-src 'nonce-${nonce}'`,
        `style-src 'nonce-${nonce}'`,
        "connect-src 'self'",
      ],
      ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    ];
    const text = page.replaceAll('%NONCE%', nonce).replaceAll('%TITLE%', () => escaped(this.#title));
    response.writeHead(200, {
      ...common,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isClosed || this.#viewers.size >= viewersMax) {
      response.setHeader('retry-after', '10');
      refuse(response, 503, `${viewersMax} viewers look at this page already, or it was closed.`);
      return;
    }
    response.writeHead(200, { ...common, 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.on('close', () => this.#leave(response));
    response.on('error', () => {}); // 'close' follows
    this.#viewers.add(response);
    this.#begin();
    response.write(`retry: 2000\n${message('history', this.#history)}`);
  }

  #begin(): void {
    if (this.#timer !== undefined) return;
    this.#frames = new Frames(this.#parts, this.#others());
    this.#timer = setInterval(() => this.#send(), this.#intervalMs).unref();
  }

  #send(): void {
    const frame = this.#frames?.next();
    if (frame === undefined) return;
    this.#history = [...this.#history, frame].slice(-historyMax);
    const text = message('frame', frame);
    for (const viewer of this.#viewers) if (viewer.writableLength < unsentMax) viewer.write(text);
  }

  #leave(viewer: ServerResponse): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#frames?.end();
    this.#history = []; // it would have a gap
  }

  close(): void {
    this.#isClosed = true;
    for (const viewer of this.#viewers) viewer.end();
  }

  #others(): Others {
    return {
      workers: new WorkerRows(this.#crew, this.#workers),
      crew: this.#crew,
      redis: this.#redis && new RedisWatch(this.#redis),
    };
  }
}

const common = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...common, 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function message(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function newToken(): string {
  return randomBytes(16).toString('base64url');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Compares in a time that does not depend on where the texts differ. */
function isSame(text: string, token: string): boolean {
  return timingSafeEqual(digest(text), digest(token));
}

/** Returns the values of the cookies of that name: another program on this host may have set one, too. */
function cookiesOf(request: IncomingMessage, name: string): string[] {
  const pairs = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim().split('=', 2));
  return pairs.flatMap(([given, value = '']) => (given === name ? [value] : []));
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function checkedText(given: Options, name: string, form: RegExp, expected: string): string | undefined {
  const value = given.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw optionError(`${where}: ${name}`, expected, value, true);
  // A token is a secret, which no message shows.
  if (!form.test(value))
    throw optionError(`${where}: ${name}`, expected, name === 'token' ? 'another text' : value, false);
  return value;
}

function checkedHosts(given: unknown): ReadonlyArray<string> {
  if (given === undefined) return ['localhost', '127.0.0.1', '[::1]'];
  const list = copiedList(given, 1, 100);
  if (list === undefined)
    throw optionError(`${where}: hosts`, 'an array of 1 to 100 names', given, !Array.isArray(given));
  return list.map((host, i) => {
    const expected = 'the name or address of a host, without a port';
    if (typeof host !== 'string') throw optionError(`${where}: hosts[${i}]`, expected, host, true);
    if (!/^(?:[\w.-]{1,253}|\[[\da-f:.]+\])$/i.test(host)) {
      throw optionError(`${where}: hosts[${i}]`, expected, host, false);
    }
    return host.toLowerCase();
  });
}

function checkedRedis(given: unknown): ObservedRedis | undefined {
  if (given === undefined) return undefined;
  const what = `${where}: redis`;
  const { own } = new Options(what, given, ['queue', 'workers']);
  if (own['queue'] === undefined && own['workers'] === undefined)
    throw optionError(what, 'an object with a queue, workers, or both', given, true);
  const queue = checkedMethods<ObservedRedis['queue']>(`${what}.queue`, own['queue'], ['stats', 'depth']);
  const methods = ['stats', 'backlog', 'consumers'];
  const workers = checkedMethods<ObservedRedis['workers']>(`${what}.workers`, own['workers'], methods);
  return { ...(queue && { queue }), ...(workers && { workers }) };
}

/** Checks that `value` has these methods, if it is given. */
function checkedMethods<T>(what: string, value: unknown, names: readonly string[]): T | undefined {
  if (value === undefined) return undefined;
  const object = value as Record<string, unknown> | null;
  if (
    typeof object !== 'object' ||
    object === null ||
    names.some((name) => typeof object[name] !== 'function')
  )
    throw optionError(what, `an object with ${names.join('(), ')}()`, value, true);
  return value as T;
}
