import { describe, expect, it } from 'vitest';
import { faultOf, isOfConnection } from '../../lib/redis/client/faults.js';
import { keyOf } from '../../lib/redis/client/port.js';
import { countsIn, entriesOf, mapOf } from '../../lib/redis/client/replies.js';

const entry = ['1-1', ['a', 'b']];

describe('a reply of XREADGROUP', () => {
  it.each([
    ['pairs', [['stream', [entry]]]],
    ['an object', { stream: [entry] }],
    ['a Map', new Map([['stream', [entry]]])],
    ['a flat list', ['stream', [entry]]],
  ])('is the same entries in every form: %s', (_, reply) => {
    expect(entriesOf(reply)).toEqual([['1-1', ['a', 'b']]]);
  });

  it.each([[null], [undefined], [[]], [{}], [new Map()], ['OK'], [7], [[['stream', null]]]])(
    'is no entries: %j',
    (reply) => {
      expect(entriesOf(reply)).toEqual([]);
    },
  );

  it('may have a deleted entry', () => {
    expect(entriesOf([['stream', [['1-1', null], null, 'x']]])).toEqual([
      ['1-1', null],
      [undefined, null],
      [undefined, null],
    ]);
  });
});

it('counts are whole numbers, as many as were asked for', () => {
  expect(countsIn([1, '2', Buffer.from('3')], 3)).toEqual([1, 2, 3]);
  const wrong = [
    null,
    'OK',
    [],
    [1],
    [1, 2, 3],
    [1, null],
    [1, ''],
    [1, -1],
    [1, 0.5],
    [1, 2n ** 60n],
    [1, {}],
    [1, [2]],
  ];
  for (const reply of [...wrong, [1, Object.create(null)]]) {
    expect(() => countsIn(reply, 2)).toThrow('expected 2 whole numbers');
  }
});

it('a map is the same in every form', () => {
  const forms = [['a', '1'], { a: '1' }, new Map([['a', '1']]), [Buffer.from('a'), '1'], ['a', '1', 'odd']];
  for (const form of forms) expect([...mapOf(form)]).toEqual([['a', '1']]);
  expect([...mapOf(null)]).toEqual([]);
});

describe('an error of a command', () => {
  it.each([
    ['again', true, 'Socket closed unexpectedly'],
    ['again', true, 'connect ECONNREFUSED 127.0.0.1:6379'],
    ['again', true, 'read ECONNRESET'],
    ['again', true, 'ECONNRESET'],
    ['again', true, "Stream isn't writeable and enableOfflineQueue options is false"],
    ['again', true, 'Connection is closed.'],
    ['again', false, 'LOADING Redis is loading the dataset in memory'],
    ['again', true, 'MOVED 3999 127.0.0.1:6381'],
    ['again', true, 'ASK 3999 127.0.0.1:6381'],
    ['again', false, 'TRYAGAIN Multiple keys request during rehashing of slot'],
    ['again', false, 'CLUSTERDOWN The cluster is down'],
    ['again', true, 'UNBLOCKED the stream key no longer exists'],
    ['again', true, "READONLY You can't write against a read only replica."],
    ['again', false, "OOM command not allowed when used memory > 'maxmemory'."],
    ['again', false, 'BUSY Redis is busy running a script.'],
    ['again', false, 'MISCONF Redis is configured to save RDB snapshots, but is unable to persist on disk.'],
    ['again', false, 'NOREPLICAS Not enough good replicas to write.'],
    ['no-group', false, "NOGROUP No such key 'a' or consumer group 'b' in XREADGROUP with GROUP option"],
    [
      'no-group',
      false,
      'ERR Error running script (call to f_6f5ade10a69975): @user_script:5: NOGROUP No such key',
    ],
    ['final', false, 'WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['final', false, 'NOPERM this user has no permissions to run the command'],
    ['final', false, "ERR unknown command 'XREADGROUP'"],
    ['final', false, "CROSSSLOT Keys in request don't hash to the same slot"],
  ])('means %s (of the connection: %s): %s', (fault, ofConnection, message) => {
    expect(faultOf(new Error(message))).toBe(fault);
    expect(isOfConnection(new Error(message))).toBe(ofConnection);
  });

  it('may be anything', () => {
    expect(faultOf(undefined)).toBe('again');
    expect(faultOf('NOGROUP no')).toBe('no-group');
  });
});

it('the first key of a command decides the server of a cluster', () => {
  expect(keyOf(['EVALSHA', 'hash', '2', 'a', 'b'])).toBe('a');
  expect(keyOf(['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', 'a', '>'])).toBe('a');
  expect(keyOf(['XINFO', 'GROUPS', 'a'])).toBe('a');
  expect(keyOf(['XLEN', 'a'])).toBe('a');
  expect(keyOf(['CONFIG', 'GET', 'appendonly'])).toBeUndefined();
});
