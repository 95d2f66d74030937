import { once } from 'node:events';
import { IncomingMessage } from 'node:http';

/** Resolves when the client of a request has gone away; `subject` is what functions among the options get. */
export async function clientGone(subject: unknown): Promise<void> {
  if (subject instanceof Request) {
    if (!subject.signal.aborted) await once(subject.signal, 'abort');
    return;
  }
  const { raw, req, env } = subject as { raw?: unknown; req?: unknown; env?: { incoming?: unknown } };
  const incoming = [subject, raw, req, env?.incoming].find((one) => one instanceof IncomingMessage);
  const { socket } = incoming as IncomingMessage;
  if (!socket.destroyed) await once(socket, 'close');
}
