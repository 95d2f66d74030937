import { type Context, Hono } from 'hono';
import { honoLimit } from 'sluice/fetch';

const text = (value: string): string => value;

interface Env {
  Bindings: { readonly PLAN: string };
  Variables: { readonly user: string };
}

const app = new Hono<Env>();
app.use(honoLimit());
app.use(honoLimit({ key: (c) => c.get('user') }));
app.use('/x/*', honoLimit({ key: (c) => text(c.req.path), skip: (c) => c.req.method === 'HEAD' }));
app.get('/y/:id', honoLimit({ key: (c) => c.req.param('id') }), (c) => c.text(String(c.req.param('id'))));
app.use(honoLimit<Context<Env>>({ key: (c) => text(c.get('user')), cost: (c) => text(c.env.PLAN).length }));
app.use(honoLimit({ key: (c: Context<Env>) => text(c.var.user) }));
new Hono().use(honoLimit({ key: (c) => c.req.header('x-user') }));

app.use(
  honoLimit({ refuse: (info, c) => c.json({ wait: info.retryAfterMs }), key: async (c) => c.req.path }),
);
app.get('/left', (c) => c.text(text(String(c.get('rateLimit')?.[0]?.remaining))));

// @ts-expect-error: the variables have no name
app.use(honoLimit<Context<Env>>({ key: (c) => c.get('name') }));
// @ts-expect-error: a context has no ip
app.use(honoLimit({ key: (c) => c.ip }));
// @ts-expect-error: no address is known
app.use(honoLimit({ key: 'address' }));
