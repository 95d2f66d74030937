import express, { type Request } from 'express';
import { addressKey, limit } from 'sluice/http';

const text = (value: string): string => value;

declare global {
  namespace Express {
    interface Request {
      account?: { readonly id: string };
    }
  }
}

const app = express();
app.use(limit());
app.use(limit({ key: (request) => request.account?.id ?? addressKey(request.ip) }));
app.use('/x', limit({ key: ({ path }) => text(path), skip: ({ method }) => method === 'HEAD' }));
app.get('/x/:id', limit({ key: ({ params }) => text(String(params['id'])) }), (request, response) => {
  response.send(text(request.params.id)); // the limit leaves the types of the route unchanged
});
app.post('/x', express.json(), limit({ cost: ({ body }) => body.units, key: ({ path }) => text(path) }));
app.all(['/a', '/b'], [limit({ key: ({ hostname }) => text(hostname) })], limit());
app.route('/y').put(limit({ key: ({ originalUrl }) => text(originalUrl) }));
express.Router().use('/z', limit({ key: ({ baseUrl }) => text(baseUrl) }));

app.use(
  '/r',
  limit({ refuse: ({ status }, request, response) => response.json({ status, path: request.path }) }),
);
app.use(limit({ refuse: (info, _request, _response, next) => next(info.tier), key: async ({ ip }) => ip }));

app.get('/left', (request, response) => response.send(text(String(request.rateLimit?.[0]?.remaining))));

const standing = limit<Request>({ key: (request) => request.get('x-user') });
app.use(standing);
app.get('/u/:id', standing, (request, response) => {
  response.send(text(request.params.id));
});
app.get<{ id: string }>('/v/:id', limit({ key: ({ path }) => text(path) }), (_request, response) => {
  response.end();
});

// @ts-expect-error: an account has no name
app.use(limit({ key: (request) => request.account?.name }));
// @ts-expect-error: a request of Express has no address
app.use('/x', limit({ key: (request) => request.address }));
// @ts-expect-error: a response of Express cannot do that
app.use('/x', limit({ refuse: (_info, _request, response) => response.write3() }));
// @ts-expect-error: a cost is a number
app.get('/x', limit({ cost: (request) => request.path }));
