import { fetchLimit } from 'sluice/fetch';

const text = (value: string): string => value;

export const plain: (request: Request) => Promise<Response> = fetchLimit(() => new Response(), {
  key: (request) => text(request.url),
});

/** A class of requests such as a framework has. */
class OwnRequest extends Request {
  readonly nextUrl: URL = new URL(this.url);
}
export const own = fetchLimit(async (request: OwnRequest) => new Response(request.nextUrl.href), {
  key: (request) => text(request.nextUrl.pathname),
});
await own(new OwnRequest('http://localhost'));
// @ts-expect-error: it is none
await own(new Request('http://localhost'));

/** `serve` as Bun and Deno declare it. */
declare function serve(options: {
  fetch(request: Request, server: { requestIP(request: Request): { address: string } }): Promise<Response>;
}): void;
serve({ fetch: fetchLimit((request, server) => new Response(server.requestIP(request).address)) });

fetchLimit((request: OwnRequest) => new Response(request.url), {
  refuse: ({ status }, request) => new Response(request.nextUrl.href, { status }),
});

// @ts-expect-error: no address is known
fetchLimit(() => new Response(), { key: 'address' });
// @ts-expect-error: there is no such option
fetchLimit(() => new Response(), { trustedProxies: 1 });
