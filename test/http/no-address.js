// Sends three requests to a server on the unix socket argv[2]. This is a program because a process is warned only once.
import { subscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { Limiter } from 'sluice';
import { limit } from 'sluice/http';

const told = [];
subscribe('sluice:http:no-address', ({ request: { url } }) => told.push(url));
const limiter = Limiter.create({ tokenBucket: { ratePerSecond: 1e-6, burst: 1 }, keys: { max: 10 } });
const middlewares = [limit({ limiter }), limit({ limiter })];
let asked = 0;
const server = createServer((incoming, response) =>
  middlewares[asked++ % 2](incoming, response, () => response.end()),
);
const socketPath = process.argv[2];
server.listen(socketPath);
await once(server, 'listening');
const statuses = [];
for (const path of ['/first', '/second', '/third']) {
  const [response] = await once(request({ socketPath, path, agent: false }).end(), 'response');
  response.resume();
  statuses.push(response.statusCode);
}
process.send({ statuses, channel: told });
process.disconnect();
server.close();
