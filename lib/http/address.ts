import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';

/**
 * The address that asks: the socket's, or, behind `trustedProxies` proxies of one's own, the entry of
 * X-Forwarded-For that the outermost of them wrote (the n-th from the right). Entries further left are the client's
 * own words and never believed.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const peer = request.socket.remoteAddress ?? '';
  if (trustedProxies === 0) return peer;
  const header = request.headers['x-forwarded-for'];
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  // From the right, so that what a client wrote on the left is not even looked at.
  let end = text.length;
  let begin = text.lastIndexOf(',', end - 1);
  for (let left = trustedProxies; left > 1; left--) {
    if (begin === -1) return peer; // fewer entries than proxies
    end = begin;
    begin = end === 0 ? -1 : text.lastIndexOf(',', end - 1);
  }
  const entry = text.slice(begin + 1, end).trim();
  return entry === '' ? peer : withoutPort(entry);
}

/** Some proxies write the client's port, too: each connection would be a key of its own. */
function withoutPort(entry: string): string {
  const [, bracketed, plain] = /^\[(.*)\](?::\d+)?$|^([^:]*):\d+$/.exec(entry) ?? [];
  return bracketed ?? plain ?? entry;
}

/**
 * The address as a key: an IPv6 address stands for its network of `prefix` bits (a home or a host has a whole one,
 * usually a /56 or /64), one that maps an IPv4 address for that address.
 */
export function addressKey(address: string, prefix: number): string {
  const bare = address.replace(/%.*$/, '');
  if (!isIPv6(bare)) return bare;
  const words = ipv6Words(bare);
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) {
    const [high = 0, low = 0] = words.slice(6);
    return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
  }
  const network = words.map(
    (word, i) => word & (0xffff << Math.min(16, Math.max(0, 16 * (i + 1) - prefix))) & 0xffff,
  );
  return `${network.map((word) => word.toString(16)).join(':')}/${prefix}`;
}

/** The eight 16-bit words of a valid IPv6 address. */
function ipv6Words(address: string): number[] {
  const text = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...octets: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = text.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const first = parse(head);
  if (tail === undefined) return first;
  const last = parse(tail);
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}
