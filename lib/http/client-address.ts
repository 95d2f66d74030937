import { channel } from 'node:diagnostics_channel';
import { BlockList, isIPv4, isIPv6, type Socket } from 'node:net';
import { copiedList, type Options, optionError } from '../input/index.js';
import { bareAddress, unmapped } from './address.js';
import type { HttpRequest } from './messages.js';

/** Whether the address belongs to a trusted proxy; '' is a peer on a unix socket. */
type Trust = (address: string) => boolean;
/** The number of trusted proxies in front of a server, or a test of their addresses. */
export type TrustedProxies = number | Trust;

const hopsMax = 16;
/** The most entries of X-Forwarded-For that are read, if all of them are trusted proxies. */
const entriesMax = 32;
const rangesMax = 10_000;

interface Ranges {
  readonly ipv4: BlockList;
  readonly ipv6: BlockList;
}
/** Names of ranges in `trustedProxies`. */
const rangesOf: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** The option `trustedProxies`, checked; undefined if it was not given. */
export function trustedProxiesOf(where: string, given: Options): TrustedProxies | undefined {
  const value = given.get('trustedProxies');
  if (value === undefined) return undefined;
  const name = `${where}: trustedProxies`;
  if (typeof value === 'number') return given.integer('trustedProxies', 0, hopsMax);
  if (!Array.isArray(value)) throw optionError(name, 'a number of proxies or a list of ranges', value, true);
  const list = copiedList(value, 0, rangesMax);
  if (list === undefined) throw optionError(name, `at most ${rangesMax} addresses and ranges`, value, false);
  // One list for each family: a range of IPv6 addresses that contains the IPv4-mapped ones must not match IPv4
  // addresses.
  const ranges: Ranges = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const one of list) {
    if (typeof one !== 'string') throw rangeError(name, one);
    for (const range of Object.hasOwn(rangesOf, one) ? (rangesOf[one] ?? []) : [one]) {
      if (!addRange(ranges, range)) throw rangeError(name, one);
    }
  }
  const unixSockets = list.includes('loopback');
  return (address) => {
    if (address === '') return unixSockets;
    const bare = unmapped(bareAddress(address));
    const family = familyOf(bare);
    return family !== undefined && ranges[family].check(bare, family);
  };
}

function rangeError(name: string, range: unknown): Error {
  const expected = `an address, a range such as 10.0.0.0/8, or ${Object.keys(rangesOf).join(' or ')}`;
  return optionError(name, expected, range, typeof range !== 'string');
}

/** Returns false if `range` is not a range. A prefix of 0 bits is refused, because it would trust every client. */
function addRange(ranges: Ranges, range: string): boolean {
  const [given = '', bits, ...rest] = range.split('/');
  if (familyOf(given) === undefined || given.includes('%') || rest.length > 0) return false;
  const address = unmapped(given); // a range of mapped addresses is an IPv4 range
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  const most = family === 'ipv4' ? 32 : 128;
  const ipv6Bits = address === given ? 0 : 96; // the bits of the prefix before the IPv4 address
  const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) - ipv6Bits : 0;
  if (prefix < 1 || prefix > most) return false;
  ranges[family].addSubnet(address, prefix, family);
  return true;
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  if (isIPv4(address)) return 'ipv4';
  return isIPv6(address) ? 'ipv6' : undefined;
}

/**
 * Returns the client's address as text, or ''. Without `trusted` it is the result of `own`, which is the address as the
 * framework finds it, or otherwise the socket's address. With a number *n* it is the *n*-th entry of X-Forwarded-For
 * from the right, which the outermost of *n* proxies wrote, or the socket's address if *n* is 0 or there are fewer
 * entries. With a function it is the first address that is no trusted proxy: the socket's, then the entries from right
 * to left (32 at most). Entries further left may come from the client, so they are never used.
 */
export function clientAddress(
  request: HttpRequest,
  trusted: TrustedProxies | undefined,
  own?: () => string | undefined,
): string {
  const peer = (request.socket as Socket | undefined)?.remoteAddress ?? '';
  if (trusted === undefined) return own?.() ?? peer;
  return typeof trusted === 'number'
    ? behindHops(request, peer, trusted)
    : behindTrusted(request, peer, trusted);
}

function behindHops(request: HttpRequest, peer: string, hops: number): string {
  if (hops === 0) return peer;
  let left = hops;
  for (const entry of forwardedFor(request)) {
    if (--left === 0) return entry === '' ? peer : entry;
  }
  return peer; // fewer entries than proxies
}

function behindTrusted(request: HttpRequest, peer: string, trusted: Trust): string {
  // A closed connection has no address any more. Only a peer on a unix socket had none from the start, and may be
  // trusted.
  if ((peer === '' && !isUnix(request.socket)) || !trusted(peer)) return peer;
  let client = peer;
  let left = entriesMax;
  for (const entry of forwardedFor(request)) {
    if (entry === '') return client; // the proxy `client` wrote no address
    client = entry;
    if (--left === 0 || !trusted(entry)) return client;
  }
  return client;
}

/**
 * Yields the entries of X-Forwarded-For, without ports, from right to left. It reads only as far as the caller
 * iterates.
 */
function* forwardedFor(request: HttpRequest): Generator<string> {
  const header = request.headers['x-forwarded-for'];
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  for (let end = text.length; end >= 0; ) {
    const comma = end === 0 ? -1 : text.lastIndexOf(',', end - 1);
    yield bareAddress(text.slice(comma + 1, end).trim());
    end = comma;
  }
}

function isUnix(socket: Socket | undefined): boolean {
  if (socket === undefined || socket.destroyed) return false; // injected by a test, or closed
  return socket.remoteAddress === undefined && socket.localAddress === undefined;
}

const noAddress = channel('sluice:http:no-address');
let told = false;

/** Returns the client's address as Express finds it by its setting 'trust proxy'; undefined without Express. */
export function expressAddress(request: HttpRequest): string | undefined {
  const { app } = request as { app?: { get?: unknown } };
  if (typeof app?.get !== 'function' || typeof app.get('trust proxy fn') !== 'function') return undefined;
  const { ip } = request as { ip?: unknown };
  return typeof ip === 'string' ? ip : undefined;
}

/**
 * Call this for a request that is limited by its address and has none. If it came over a unix socket, over which all
 * clients share one key, the first such call emits a process warning `SLUICE_HTTP_NO_ADDRESS`, and publishes
 * `{ request }` on the diagnostics channel `sluice:http:no-address`.
 */
export function tellNoAddress(where: string, request: HttpRequest): void {
  if (told || !isUnix(request.socket)) return;
  told = true;
  if (noAddress.hasSubscribers) noAddress.publish({ request });
  process.emitWarning(
    `${where}: requests on a unix socket have no address, so all clients share one limit; set trustedProxies (such as ['loopback']) or key`,
    { type: 'SluiceWarning', code: 'SLUICE_HTTP_NO_ADDRESS' },
  );
}
