import { Limiter } from 'sluice';
import { fetchLimit } from 'sluice/fetch';
import { addressKey, type LimitOptions, limit } from 'sluice/http';

const options: LimitOptions<import('node:http').IncomingMessage> = {
  limiter: Limiter.create({ ...Limiter.flashSale, keys: { max: 10 } }),
  key: (request) => addressKey(request.socket.remoteAddress),
};
limit(options);
fetchLimit(() => new Response(), { key: { header: 'x-user' } });
// @ts-expect-error: there is no such option
limit({ ...options, costs: 5 });
