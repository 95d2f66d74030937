import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Limiter } from 'sluice';
import { type LimitOptions, limit } from 'sluice/http';
import type { closedAfterEach } from './closing.js';
import { listening, type Running } from './frameworks.js';

type App = (request: IncomingMessage, response: ServerResponse) => void;
type Serve = (options: LimitOptions<IncomingMessage>, app?: App) => Promise<Running>;

/** Returns a function that starts servers behind `limit`, and adds each to `closing`. */
export function serving(closing: ReturnType<typeof closedAfterEach>): Serve {
  return async (options, app = (_, response) => response.end('fine')) => {
    const limited = limit(options);
    const running = await listening(
      createServer((request, response) =>
        limited(request, response, (error) => {
          if (error !== undefined) response.statusCode = 500;
          app(request, response);
        }),
      ),
    );
    closing.push(running);
    return running;
  };
}

export function depth(max: number): Limiter {
  return Limiter.create({ queueDepth: { max } });
}

export async function until(done: () => boolean): Promise<void> {
  while (!done()) await delay(1);
}
