import { isIP, isIPv4, isIPv6 } from 'node:net';
import { Options, optionError } from '../input/index.js';

/** The options of `addressKey`. */
export interface AddressKeyOptions {
  /** IPv6 addresses that share this many leading bits are one key: 32 to 128. Default: 56. */
  readonly ipv6Prefix?: number | undefined;
}

const ipv6PrefixDefault = 56;

/**
 * Returns the key that `limit()` and the other adapters use for a client's address, so that
 * `limiter.block(addressKey(request.ip))` blocks the same client. A `key` function should pass an address through
 * `addressKey`, too: `(request) => request.user ?? addressKey(request.ip)`.
 *
 * - The key of an IPv6 address is its network of `ipv6Prefix` bits, such as '2001:db8:0:0:0:0:0:0/56', because a home
 *   or a host has a whole network.
 * - The key of an address that contains an IPv4 address is that IPv4 address: in ::ffff:0:0/96 (a server that listens
 *   on `::`), in ::ffff:0:0:0/96 and 64:ff9b::/96 (a translator, NAT64), and in 2002::/16 (6to4, where one IPv4 address
 *   has 256 networks of 56 bits). In 64:ff9b:1::/48, which operators divide as they like, the last 32 bits are the IPv4
 *   address. If the last 24 bits are zero, as they are with a prefix shorter than 96 bits, the whole address is the
 *   key.
 * - The key leaves out a zone (`%eth0`), brackets and a port.
 * - A text that is not an address is its own key, cut to 256 characters. Without an address the key is ''.
 *
 * @param address An IPv4 or IPv6 address as text, such as Express's and Fastify's `request.ip`, Koa's `context.ip` or
 *   `socket.remoteAddress`.
 * @param options `ipv6Prefix`. Default: 56.
 * @returns The key: a text of at most 256 characters.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming a bad or unknown option, or an address that is neither a
 *   string nor undefined.
 * @example
 * limiter.block(addressKey(request.ip), 60_000);
 */
export function addressKey(address: string | undefined, options?: AddressKeyOptions): string {
  if (address !== undefined && typeof address !== 'string') {
    throw optionError('addressKey: address', 'a string or undefined', address, true);
  }
  const prefix =
    options === undefined
      ? ipv6PrefixDefault
      : ipv6PrefixOf(new Options('addressKey', options, ['ipv6Prefix']));
  return keyOfAddress(address ?? '', prefix);
}

/** Returns the option `ipv6Prefix`, checked. */
export function ipv6PrefixOf(given: Options): number {
  return given.integer('ipv6Prefix', 32, 128, ipv6PrefixDefault);
}

const invalidLengthMax = 256;

/** As `addressKey`, with a prefix that has been checked. */
export function keyOfAddress(address: string, prefix: number): string {
  const bare = bareAddress(address);
  if (!isIPv6(bare)) return bare.slice(0, invalidLengthMax);
  const words = ipv6Words(bare);
  const ipv4 = embeddedIpv4(words);
  if (ipv4 !== undefined) return ipv4;
  const bits = startsWith(words, localTranslation) ? 128 : prefix;
  const network = words.map(
    (word, i) => word & (0xffff << Math.min(16, Math.max(0, 16 * (i + 1) - bits))) & 0xffff,
  );
  return `${network.map((word) => word.toString(16)).join(':')}/${bits}`;
}

/**
 * Returns an address without its zone, brackets and port. Some proxies write the port, with which each connection would
 * have its own key. Any other text is returned unchanged.
 */
export function bareAddress(text: string): string {
  if (isIPv4(text)) return text;
  const [, bracketed, plain] = /^\[(.*)\](?::\d+)?$|^([^:]*):\d+$/.exec(text) ?? [];
  const zoned = bracketed ?? plain ?? text;
  const zone = zoned.indexOf('%'); // a regular expression would take time in the square of the number of '%'
  const bare = zone === -1 ? zoned : zoned.slice(0, zone);
  return isIP(bare) === 0 ? text : bare;
}

/** Returns the IPv4 address that a server on `::` sees as ::ffff:a.b.c.d, and any other address unchanged. */
export function unmapped(address: string): string {
  if (!isIPv6(address)) return address;
  const words = ipv6Words(address);
  return startsWith(words, mapped) ? ipv4Of(words, 6) : address;
}

const mapped = [0, 0, 0, 0, 0, 0xffff]; // ::ffff:0:0/96, RFC 4291
const translated = [0, 0, 0, 0, 0xffff, 0]; // ::ffff:0:0:0/96, RFC 2765
const nat64 = [0x64, 0xff9b, 0, 0, 0, 0]; // 64:ff9b::/96, RFC 6052
const localTranslation = [0x64, 0xff9b, 1]; // 64:ff9b:1::/48, RFC 8215
const sixToFour = [0x2002]; // 2002::/16, RFC 3056

function embeddedIpv4(words: readonly number[]): string | undefined {
  if ([mapped, translated, nat64].some((prefix) => startsWith(words, prefix))) return ipv4Of(words, 6);
  if (startsWith(words, sixToFour)) return ipv4Of(words, 1);
  const [high = 0, low = 0] = words.slice(6);
  const last24Zero = (high & 0xff) === 0 && low === 0;
  return startsWith(words, localTranslation) && !last24Zero ? ipv4Of(words, 6) : undefined;
}

function startsWith(words: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((word, i) => words[i] === word);
}

/** Returns the 32 bits from the word `at` on, as an IPv4 address. */
function ipv4Of(words: readonly number[], at: number): string {
  const [high = 0, low = 0] = words.slice(at);
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
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
