import Fastify, { type FastifyContextConfig, type FastifyRequest } from 'fastify';
import { Limiter } from 'sluice';
import { fastifyLimit } from 'sluice/fastify';

const text = (value: string): string => value;

declare module 'fastify' {
  interface FastifyRequest {
    account: { readonly id: string };
  }
}

const app = Fastify();
app.register(fastifyLimit);
await app.register(fastifyLimit, {});
app.register(fastifyLimit, {
  hook: 'preHandler',
  key: (request) => text(request.account.id),
  cost: ({ headers }) => headers['user-agent']?.length ?? 1,
  skip: ({ hostname }) => text(hostname) === 'localhost',
});
app.register((scope, _options, done) => {
  scope.register(fastifyLimit, { limiter: Limiter.create(Limiter.flashSale), prefix: '/scope' });
  done();
});
app.register(fastifyLimit<FastifyRequest<{ Body: { user: string } }>>, {
  hook: 'preValidation',
  key: ({ body }) => text(body.user),
});
Fastify({ http2: true }).register(fastifyLimit, { key: ({ ip }) => text(ip) });

app.get(
  '/export',
  { config: { limit: { cost: (request) => text(request.account.id).length } } },
  async () => '',
);
app.get('/health', { config: { limit: false } }, async () => '');
app.get('/same', { config: { limit: undefined } }, async () => '');
app.route({ method: 'GET', url: '/x', config: { limit: { limiter: undefined } }, handler: async () => '' });

app.register(fastifyLimit, {
  refuse: ({ status }, { url }, reply) => reply.header('x-url', text(url)).code(status).send('slow down'),
});
app.get('/left', async (request) => text(String(request.rateLimit?.[0]?.remaining)));

// @ts-expect-error: an account has no name
app.register(fastifyLimit, { key: (request) => request.account.name });
// @ts-expect-error: there is no such option
app.register(fastifyLimit, { costs: 5 });
// @ts-expect-error: there is no such hook
app.register(fastifyLimit, { hook: 'onSend' });
// @ts-expect-error: a cost is a number
app.get('/', { config: { limit: { cost: 'two' } } }, async () => '');
// @ts-expect-error: no route has a hook of its own
({ limit: { hook: 'onRequest' } }) satisfies FastifyContextConfig;
// @ts-expect-error: true is no limit
({ limit: true }) satisfies FastifyContextConfig;
