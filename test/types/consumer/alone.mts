// This file is compiled in projects without a framework.
import { fastifyLimit } from 'sluice/fastify';
import { honoLimit } from 'sluice/fetch';
import { koaLimit } from 'sluice/koa';

koaLimit({ key: (context) => context.ip });
honoLimit({ key: (context) => context.req.raw.url });
await fastifyLimit({ addHook: () => {} }, { key: (request) => request.ip });

// @ts-expect-error: a context is of a type of its own, not any
koaLimit({ key: (context) => context.nothing });
// @ts-expect-error: likewise
honoLimit({ key: (context) => context.nothing });
// @ts-expect-error: likewise a request
void fastifyLimit({ addHook: () => {} }, { key: (request) => request.nothing });
