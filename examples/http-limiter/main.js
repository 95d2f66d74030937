// @ts-check
// A limiter in front of a server of node:http: two requests a minute from one address, then 429 with Retry-After.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Limiter } from 'sluice';
import { limit } from 'sluice/http';

const limiter = Limiter.create({ slidingWindow: { limit: 2, windowMs: 60_000 }, keys: { max: 10_000 } });
const limited = limit({ limiter });
const server = createServer((request, response) => {
  limited(request, response, () => response.end('fine'));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());

for (const n of [1, 2, 3]) {
  const response = await fetch(`http://127.0.0.1:${port}`);
  const wait = response.headers.has('retry-after') ? ', with Retry-After' : '';
  console.log(`request ${n}: ${response.status}${wait}`);
}
server.close();
server.closeAllConnections();

// Prints:
// request 1: 200
// request 2: 200
// request 3: 429, with Retry-After
