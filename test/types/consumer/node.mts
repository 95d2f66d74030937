import http, { type IncomingMessage } from 'node:http';
import http2, { type Http2ServerRequest } from 'node:http2';
import { type LimitMiddleware, limit } from 'sluice/http';

const text = (value: string): string => value;

const limited = limit({
  key: (request) => text(request.url ?? ''),
  cost: ({ method }) => method?.length ?? 1,
});
http.createServer((request, response) => limited(request, response, () => response.end()));

/** A request to which an earlier middleware has added the user. */
interface SignedIn extends IncomingMessage {
  readonly user: string;
}
const byUser = limit({ key: (request: SignedIn) => request.user });
const same: LimitMiddleware<SignedIn> = limit<SignedIn>({ key: ({ user }) => text(user) });
http.createServer((request, response) => {
  byUser(Object.assign(request, { user: 'ann' }), response, (error) => response.end(String(error)));
  same(Object.assign(request, { user: 'ann' }), response, () => {});
  // @ts-expect-error: it has no user
  byUser(request, response, () => {});
});

const multiplexed = limit<Http2ServerRequest>({ key: (request) => text(request.authority) });
http2.createServer((request, response) => multiplexed(request, response, () => response.end()));

limit<Http2ServerRequest>({
  refuse: (_info, _request, response) => response.createPushResponse({}, () => {}),
});
limit({ refuse: (info, { method }, response) => response.end(`${text(method ?? '')} ${info.retryAfterMs}`) });

// @ts-expect-error: there is no such option
limit({ keys: 'address' });
// @ts-expect-error: a key is no object
limit({ key: (request) => request.headers });
// @ts-expect-error: an IncomingMessage has no ip
limit({ key: (request) => request.ip });
