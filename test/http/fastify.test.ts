import { createRequire } from 'node:module';
import Fastify5, { type FastifyContextConfig, type FastifyInstance, type FastifyRequest } from 'fastify';
import { Limiter, ManualClock } from 'sluice';
import { type FastifyLimitOptions, fastifyLimit } from 'sluice/fastify';
import { describe, expect, it, vi } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, rejected } from '../thrown.js';
import { closedAfterEach } from './closing.js';
import { items } from './items.js';

const Fastify4 = createRequire(import.meta.url)('fastify4') as typeof Fastify5;
const closing = closedAfterEach();
const bucket = (burst: number) =>
  Limiter.create({ tokenBucket: { ratePerSecond: 0.1, burst }, clock: new ManualClock() });
const none = () => {
  const limiter = bucket(1);
  limiter.allow();
  return limiter;
};
/** Registers a route in its own scope. */
const scoped = (app: FastifyInstance, path: string) =>
  app.register((scope, _options, done) => {
    scope.get(path, async () => 'fine');
    done();
  });
const config = (limit: FastifyContextConfig['limit']): { config: FastifyContextConfig } => ({
  config: { limit },
});

describe.each([
  ['5', Fastify5],
  ['4', Fastify4],
])('fastifyLimit in Fastify %s', (_version, make) => {
  const created = (): FastifyInstance => {
    const app = make({ forceCloseConnections: true });
    closing.push(app);
    return app;
  };
  const limit = (app: FastifyInstance, options: FastifyLimitOptions<FastifyRequest>) =>
    app.register(fastifyLimit, options);
  const asked = (app: FastifyInstance) => async (path: string) => (await app.inject(path)).statusCode;

  it('limits all routes of its scope, whenever they are declared', async () => {
    const app = created();
    app.get('/before', async () => 'fine');
    scoped(app, '/scope-before');
    limit(app, { limiter: none() }); // not awaited
    app.get('/after', async () => 'fine');
    scoped(app, '/scope-after');
    const paths = ['/before', '/scope-before', '/after', '/scope-after'];
    expect(await Promise.all(paths.map(asked(app)))).toEqual([429, 429, 429, 429]);
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const statuses = paths.map(async (path) => (await fetch(url + path)).status);
    expect(await Promise.all(statuses)).toEqual([429, 429, 429, 429]);
  });

  it('limits no route of another scope', async () => {
    const app = created();
    app.get('/outside', async () => 'fine');
    app.register((scope, _options, done) => {
      limit(scope, { limiter: none() });
      scope.get('/inside', async () => 'fine');
      done();
    });
    scoped(app, '/beside');
    expect(await Promise.all(['/outside', '/inside', '/beside', '/none'].map(asked(app)))).toEqual([
      200, 429, 200, 404,
    ]);
  });

  it.each([
    [undefined, 429],
    [true, 429],
    [false, 404],
  ])('limits what has no route by choice: notFound %s', async (notFound, status) => {
    const app = created();
    limit(app, { limiter: none(), ...(notFound === undefined ? {} : { notFound }) });
    app.get('/', async () => 'fine');
    const ask = asked(app);
    expect([await ask('/'), await ask('/none')]).toEqual([429, status]);
    const custom = created();
    limit(custom, { limiter: none(), ...(notFound === undefined ? {} : { notFound }) });
    custom.setNotFoundHandler(async (_request, reply) => reply.code(404).send('none'));
    expect(await asked(custom)('/none')).toBe(status);
  });

  it.each([
    ['onRequest', false],
    ['preParsing', false],
    ['preValidation', true],
    ['preHandler', true],
  ] as const)('limits in the hook %s, which knows a body: %s', async (hook, knowsBody) => {
    const limiter = Limiter.create({
      tokenBucket: { ratePerSecond: 0.1, burst: 1 },
      keys: { max: 10 },
      clock: new ManualClock(),
    });
    const app = created();
    const seen: string[] = [];
    for (const name of ['onRequest', 'preValidation', 'preHandler'] as const) {
      app.addHook(name, async () => {
        seen.push(name);
      });
    }
    limit(app, {
      limiter,
      hook,
      key: (request) => {
        seen.push('limit');
        return (request.body as { user?: string } | undefined)?.user ?? 'nobody';
      },
    });
    app.post('/', async (request) => request.body);
    const post = (user: string) => app.inject({ method: 'POST', url: '/', payload: { user } });
    const first = await post('ann');
    expect([first.statusCode, first.json()]).toEqual([200, { user: 'ann' }]);
    expect(seen.indexOf('limit')).toBe(
      { onRequest: 1, preParsing: 1, preValidation: 2, preHandler: 3 }[hook],
    );
    expect([(await post('bob')).statusCode, (await post('ann')).statusCode]).toEqual([
      knowsBody ? 200 : 429,
      429,
    ]);
    expect(limiter.peek({ key: knowsBody ? 'ann' : 'nobody' }).remaining).toBe(0);
  });

  it('asks several plugins in the order in which they are registered', async () => {
    const app = created();
    const [outer, inner] = [none(), bucket(5)];
    limit(app, { limiter: outer, name: 'outer' });
    limit(app, { limiter: inner, name: 'inner' });
    app.get('/', async () => 'fine');
    const { statusCode, headers } = await app.inject('/');
    expect(statusCode).toBe(429);
    expect(items(String(headers['ratelimit'])).map(([name]) => name)).toEqual(['outer']);
    expect(inner.peek().remaining).toBe(5);
  });

  it('lets a route replace single options, and keeps its limiter for GET and HEAD', async () => {
    const app = created();
    const limiter = bucket(20);
    const own = bucket(3);
    limit(app, { limiter, cost: 2, name: 'all' });
    app.get('/plain', async () => 'fine');
    app.get('/dear', config({ cost: 5, limiter: undefined }), async () => 'fine');
    app.get('/free', config(false), async () => 'fine');
    app.get('/undefined', config(undefined), async () => 'fine');
    app.get('/own', config({ limiter: own }), async () => 'fine');
    const remaining = async (method: 'GET' | 'HEAD', url: string) => {
      const { statusCode, headers } = await app.inject({ method, url });
      expect(statusCode).toBe(200);
      return items(String(headers['ratelimit'] ?? '')).map(([name, parameters]) => ({
        name,
        ...(parameters as object),
      }));
    };
    expect(await remaining('GET', '/plain')).toMatchObject([{ name: 'all', r: 18 }]);
    expect(await remaining('GET', '/dear')).toMatchObject([{ name: 'all', r: 13 }]);
    expect(await remaining('HEAD', '/dear')).toMatchObject([{ name: 'all', r: 8 }]);
    expect(await remaining('GET', '/free')).toEqual([]);
    expect(await remaining('HEAD', '/undefined')).toMatchObject([{ name: 'all', r: 6 }]);
    expect(await remaining('HEAD', '/own')).toMatchObject([{ name: 'all', r: 1 }]);
    expect([limiter.peek().remaining, own.peek().remaining]).toEqual([6, 1]);
  });

  it('makes one limiter, if it is given none, however many routes have options of their own', async () => {
    const create = vi.spyOn(Limiter, 'create');
    try {
      const app = created();
      limit(app, {});
      for (const path of ['/one', '/two']) app.get(path, config({ cost: 2 }), async () => 'fine');
      expect(await Promise.all(['/one', '/two'].map(asked(app)))).toEqual([200, 200]);
      expect((await app.inject({ method: 'HEAD', url: '/one' })).statusCode).toBe(200);
      expect(create).toHaveBeenCalledOnce();
    } finally {
      create.mockRestore();
    }
  });

  it('a route may have an answer and a limiter of its own beside a plugin that chooses', async () => {
    const app = created();
    const plans = [none(), bucket(9)];
    await limit(app, { limiter: () => plans[0] as Limiter, plans, refuse: () => 'of the plugin' });
    app.get('/', async () => 'fine');
    app.get('/mine', config({ refuse: () => 'of the route' }), async () => 'fine');
    app.get('/own', config({ limiter: bucket(9) }), async () => 'fine');
    const answers = await Promise.all(['/', '/mine', '/own'].map((url) => app.inject(url)));
    expect(answers.map(({ statusCode, body }) => [statusCode, body])).toEqual([
      [429, 'of the plugin'],
      [429, 'of the route'],
      [200, 'fine'],
    ]);
    expect(plans[1]?.peek().remaining).toBe(9);
  });

  it('names a mistake of a route where it is declared, or else refuses to answer it', async () => {
    const app = created();
    app.get('/before', config(mistyped({ costs: 2 })), async () => 'fine');
    await limit(app, { limiter: bucket(5) });
    for (const [limitOf, text] of [
      [{ costs: 2 }, /config.limit: unknown option "costs"/],
      [{ hook: 'preHandler' }, /config.limit: unknown option "hook"/],
      [true, /config.limit: expected false, or an object/],
    ] as const) {
      expect(() => app.get('/', config(mistyped(limitOf)), async () => 'fine')).toThrow(text);
    }
    const { statusCode, json } = await app.inject('/before');
    expect([statusCode, json()]).toMatchObject([500, { code: 'ERR_SLUICE_OPTION' }]);
  });

  it.each([
    [{ hook: 'onSend' }, RangeError, 'hook'],
    [{ hook: 5 }, TypeError, 'hook'],
    [{ notFound: 'yes' }, TypeError, 'notFound'],
    [{ limit: 3 }, TypeError, 'unknown option "limit"'],
  ])('refuses %j', async (options, kind, text) => {
    const app = make();
    const error = await rejected(Promise.resolve(limit(app, mistyped(options))));
    expectError(error as Error, 'ERR_SLUICE_OPTION', kind);
    expect((error as Error).message).toContain(text);
  });

  it('takes no option, and no exception of a route, from Object.prototype', async () => {
    const app = created();
    limit(app, { limiter: none() });
    app.get('/', async () => 'fine');
    app.get('/own', config({ cost: 1 }), async () => 'fine');
    await app.ready();
    const polluted = { limit: false, limiter: bucket(9), notFound: false };
    for (const [name, value] of Object.entries(polluted)) {
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
    }
    try {
      expect(await Promise.all(['/', '/own', '/none'].map(asked(app)))).toEqual([429, 429, 429]);
    } finally {
      for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
    }
  });
});

describe('fastifyLimit in several scopes', () => {
  it('limits its own scope, with options per route', async () => {
    const fastify = Fastify5({ forceCloseConnections: true });
    closing.push(fastify);
    const nothing = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 } });
    nothing.allow();
    const some = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 2 } });
    fastify.get('/outside', async () => 'fine');
    fastify.register((scope, _options, done) => {
      scope.register(fastifyLimit, { limiter: nothing }).after(() => {
        scope.get('/inside', async () => 'fine');
        scope.get('/free', { config: { limit: false } }, async () => 'fine');
        scope.get('/own', { config: { limit: { limiter: some, cost: 2 } } }, async () => 'fine');
        scope.register((within, _none, ready) => {
          within.get('/within', async () => 'fine');
          ready();
        });
      });
      done();
    });
    fastify.register((sibling, _options, done) => {
      sibling.get('/beside', async () => 'fine');
      done();
    });
    const status = async (path: string) => (await fastify.inject(path)).statusCode;
    expect([await status('/outside'), await status('/beside')]).toEqual([200, 200]);
    expect(await status('/inside')).toBe(429);
    expect(await status('/within')).toBe(429);
    expect(await status('/free')).toBe(200);
    expect([await status('/own'), await status('/own')]).toEqual([200, 429]);
    await expect(
      Fastify5()
        .register(fastifyLimit, mistyped({ limit: 3 }))
        .ready(),
    ).rejects.toThrow(/unknown option "limit"/);
    const misspelled = Fastify5();
    await misspelled.register(fastifyLimit, { limiter: some });
    expect(() =>
      misspelled.get('/', { config: mistyped({ limit: { costs: 2 } }) }, async () => 'fine'),
    ).toThrow(/fastifyLimit: config.limit: unknown option "costs"/);
  });
});
