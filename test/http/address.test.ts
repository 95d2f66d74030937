import type { IncomingMessage } from 'node:http';
import type { Key } from 'sluice';
import { addressKey } from 'sluice/http';
import { describe, expect, it } from 'vitest';
import { mistyped } from '../mistyped.js';
import { expectError, thrown } from '../thrown.js';
import { ask, one, serve } from './asking.js';

describe('addressKey', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:C000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:0:192.0.2.1', '192.0.2.1'],
    ['64:ff9b::192.0.2.1', '192.0.2.1'],
    ['64:ff9b::c000:201', '192.0.2.1'],
    ['64:ff9b:1::192.0.2.1', '192.0.2.1'],
    ['64:ff9b:1:fffe::c000:201', '192.0.2.1'],
    ['2002:c000:201:7::1', '192.0.2.1'],
    ['192.0.2.1:8080', '192.0.2.1'],
    ['::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['[::ffff:192.0.2.1]:443', '192.0.2.1'],
  ])('takes %s for the IPv4 address that it is', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it.each([
    // RFC 6052 with prefixes of 48, 56 and 64 bits: each address stands for one IPv4 address, so it must be its own
    // key.
    ['64:ff9b:1:c000:2:100::', '64:ff9b:1:c000:2:100:0:0/128'],
    ['64:ff9b:1:c0:0:201::', '64:ff9b:1:c0:0:201:0:0/128'],
    ['64:ff9b:1:0:c0:2:100:0', '64:ff9b:1:0:c0:2:100:0/128'],
    ['64:ff9b:1:0:c0:2:7f00:0', '64:ff9b:1:0:c0:2:7f00:0/128'],
  ])('does not make one key of translated addresses with shorter prefixes: %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it.each([
    ['2001:db8:1:2200::1', '2001:db8:1:2200:0:0:0:0/56'],
    ['2001:db8:1:22ff:ffff::1', '2001:db8:1:2200:0:0:0:0/56'],
    ['2001:DB8:1:2200::192.0.2.1', '2001:db8:1:2200:0:0:0:0/56'],
    ['[2001:db8:1:2200::1]:443', '2001:db8:1:2200:0:0:0:0/56'],
    ['[2001:db8:1:2200::1]', '2001:db8:1:2200:0:0:0:0/56'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:0/56'],
    ['2001:db8::%7', '2001:db8:0:0:0:0:0:0/56'],
    ['fe80::2%25', 'fe80:0:0:0:0:0:0:0/56'],
    ['::1', '0:0:0:0:0:0:0:0/56'],
    ['64:ff9b:2::1', '64:ff9b:2:0:0:0:0:0/56'],
    ['64:ff9a::1', '64:ff9a:0:0:0:0:0:0/56'],
  ])('takes the network of %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  it('keeps `ipv6Prefix` bits of an IPv6 address, and an IPv4 address whole', () => {
    const key = (ipv6Prefix: number) => addressKey('2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', { ipv6Prefix });
    expect([key(32), key(64), key(65), key(128)]).toEqual([
      '2001:db8:0:0:0:0:0:0/32',
      '2001:db8:ffff:ffff:0:0:0:0/64',
      '2001:db8:ffff:ffff:8000:0:0:0/65',
      '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128',
    ]);
    expect(addressKey('::ffff:192.0.2.1', { ipv6Prefix: 32 })).toBe('192.0.2.1');
  });

  it.each([
    'unknown',
    '_hidden',
    '1.2.3',
    '01.2.3.4',
    'x:80',
    ':::1',
    '[::1',
    '::1]:80',
    '1.2.3.4:',
    '::1/64',
    '',
  ])('leaves a text that is no address as it is: %j', (text) => {
    expect(addressKey(text)).toBe(text);
  });

  it('bounds the length of a text that is no address, so that a limiter takes every key that it makes', () => {
    expect(addressKey('x'.repeat(100_000))).toBe('x'.repeat(256));
    expect(addressKey(`${'['.repeat(50_000)}]:1`)).toHaveLength(256);
    expect(addressKey(`fe80::1%${'z'.repeat(10_000)}`)).toBe('fe80:0:0:0:0:0:0:0/56');
    expect(addressKey(undefined)).toBe('');
  });

  it('reads a text that is no address once, wherever zones could begin in it', { timeout: 10_000 }, () => {
    // A version that read on to the end from each percent sign took a minute.
    for (const end of ['\n', '\u2028', '']) {
      expect(addressKey('%'.repeat(200_000) + end)).toBe('%'.repeat(256));
    }
  });

  it('names what is wrong', () => {
    for (const [act, kind] of [
      [() => addressKey('::1', { ipv6Prefix: 31 }), RangeError],
      [() => addressKey('::1', { ipv6Prefix: 129 }), RangeError],
      [() => addressKey('::1', { ipv6Prefix: mistyped('64') }), TypeError],
      [() => addressKey('::1', mistyped({ prefix: 64 })), TypeError],
      [() => addressKey('::1', mistyped(64)), TypeError],
      [() => addressKey(mistyped(5)), TypeError],
      [() => addressKey(mistyped(null)), TypeError],
    ] as const) {
      expectError(thrown(act), 'ERR_SLUICE_OPTION', kind);
    }
  });
});

describe('what an operator does to a key by its address', () => {
  it('reaches a client of a server on ::', async () => {
    const limiter = one();
    const port = await serve({ limiter }, { host: '::' });
    expect(await ask({ port })).toBe(200);
    limiter.reset(addressKey('127.0.0.1'));
    expect(limiter.block(addressKey('::ffff:127.0.0.1'), 60_000)).toBe(true);
    expect(await ask({ port })).toBe(429);
    expect(await ask({ host: '::1', port })).toBe(200);
  });

  it('reaches a client whose key a function makes of an address', async () => {
    const limiter = one();
    const key = ({ headers }: IncomingMessage): Key => addressKey(headers['x-forwarded-for']?.toString());
    const port = await serve({ limiter, key });
    expect(await ask({ port }, '2001:db8::1')).toBe(200);
    expect(await ask({ port }, '2001:db8::2')).toBe(429);
    limiter.block(addressKey('2001:db8:7::9'), 60_000);
    expect(await ask({ port }, '2001:db8:7::1')).toBe(429);
  });
});
