import { limit } from 'sluice/http';
import { parseDictionary, parseItem } from 'structured-headers';
import { describe, expect, it } from 'vitest';
import { type HeadersForm, limitFields, type Quota, type Told } from '../../lib/http/fields.js';
import { expectError, thrown } from '../thrown.js';
import { items } from './items.js';

const window: Quota = { tier: 'window', quota: 100, windowSeconds: 60, remaining: 40, resetSeconds: 12 };
const bucket: Quota = { tier: 'bucket', quota: 20, windowSeconds: 2, remaining: 15, resetSeconds: 1 };
const depth: Quota = { tier: 'concurrency', quota: 8, unit: 'concurrent-requests', remaining: 7 };
const refused: Quota = { ...window, remaining: 3, resetSeconds: 9, refused: true };

/** Returns the fields that several limiters put on one response, in the order in which they were asked. */
function response(forms: HeadersForm[], ...limiters: Told[]): Record<string, string> {
  const fields: Record<string, string> = {};
  const present = (name: string) => fields[name];
  for (const told of limiters) Object.assign(fields, limitFields(forms, told, present, 1_000_500));
  return fields;
}
const quotas = (...given: Quota[]): Told => ({ quotas: given });

describe.each(['draft-10', 'draft-8'] as const)('%s', (form) => {
  it('tells of every tier, in both fields', () => {
    const fields = response([form], { quotas: [bucket, window, depth], partition: 'AAEC' });
    expect(items(fields['RateLimit-Policy'])).toEqual([
      ['bucket', { q: 20, w: 2, pk: 'AAEC' }],
      ['window', { q: 100, w: 60, pk: 'AAEC' }],
      ['concurrency', { q: 8, qu: 'concurrent-requests', pk: 'AAEC' }],
    ]);
    expect(items(fields['RateLimit'])).toEqual([
      ['bucket', { r: 15, t: 1, pk: 'AAEC' }],
      ['window', { r: 40, t: 12, pk: 'AAEC' }],
      ['concurrency', { r: 7, pk: 'AAEC' }],
    ]);
    expect(Object.keys(fields)).toHaveLength(2);
  });

  it('keeps the items of other limiters, and gives its own other names', () => {
    const fields = response([form], quotas(window), quotas(bucket, refused), quotas(window, depth), {
      name: 'buy',
      quotas: [refused],
    });
    const names = ['window', 'bucket-2', 'window-2', 'window-3', 'concurrency-3', 'buy'];
    expect(items(fields['RateLimit']).map(([name]) => name)).toEqual(names);
    expect(items(fields['RateLimit-Policy']).map(([name]) => name)).toEqual(names);
    expect(items(fields['RateLimit'])[2]).toEqual(['window-2', { r: 3, t: 9 }]);
  });

  it('gives different names to two limiters of one name, and to the tiers of one limiter', () => {
    const told = { name: 'per user', quotas: [bucket, window] };
    const fields = response([form], told, told);
    expect(items(fields['RateLimit']).map(([name]) => name)).toEqual([
      'per user-bucket',
      'per user-window',
      'per user-bucket-2',
      'per user-window-2',
    ]);
  });

  it('shows a quota only in the policies if it does not know what is left', () => {
    const fields = response([form], quotas({ ...bucket, remaining: undefined }, window));
    expect(items(fields['RateLimit-Policy'])).toHaveLength(2);
    expect(items(fields['RateLimit'])).toEqual([['window', { r: 40, t: 12 }]]);
    expect(response([form], quotas())).toEqual({});
  });

  it('holds what structured fields can hold', () => {
    const huge = { tier: 'window', quota: 1e20, windowSeconds: 0.2, remaining: 2.9, resetSeconds: -1 };
    const fields = response([form], quotas(huge));
    expect(items(fields['RateLimit-Policy'])).toEqual([['window', { q: 999_999_999_999_999, w: 1 }]]);
    expect(items(fields['RateLimit'])).toEqual([['window', { r: 2, t: 0 }]]);
  });

  it.each([
    '"a";r=1;t=2, "b, c";r=3',
    '"default"; r=1; t=2; pk=:YWJj:',
    '"\\"window\\"" , "x";a;b=?1;c=tok/en:x;d=-1.5;e="s;t,r"',
    ' "a"\t,\t"b" ',
  ])('keeps a list of others as it is: %s', (earlier) => {
    const present = (name: string) => (name === 'RateLimit' ? earlier : undefined);
    const text = limitFields([form], quotas(window), present)['RateLimit'] ?? '';
    expect(items(text)).toEqual([...items(earlier), ['window', { r: 40, t: 12 }]]);
  });

  it.each(['limit=100, remaining=50, reset=5', '100;w=60', '"a";r=1,', '"a" "b"', '"a;r=1', 'token;r=1'])(
    'replaces what is no list of its kind: %s',
    (earlier) => {
      const fields = limitFields([form], quotas(window), () => earlier);
      expect(fields['RateLimit']).toBe('"window";r=40;t=12');
      expect(fields['RateLimit-Policy']).toBe('"window";q=100;w=60');
    },
  );
});

it('reads a long list once, not again and again', () => {
  for (const part of ['"a";', '"a";a;a=1', '"a", ', '"a";a="\\\\"', ';a', '"']) {
    const earlier = `"a"${part.repeat(20_000)}!`;
    expect(limitFields(['draft-10'], quotas(window), () => earlier)['RateLimit']).toBe('"window";r=40;t=12');
  }
});

describe('draft-7, draft-6 and legacy, which have room for one quota,', () => {
  const told = (form: HeadersForm, ...limiters: Told[]) => {
    const fields = response([form], ...limiters);
    if (form === 'draft-7') {
      const figures = [...parseDictionary(fields['RateLimit'] ?? '').values()].map(([value]) => value);
      return { figures, policy: fields['RateLimit-Policy'] };
    }
    const prefix = form === 'legacy' ? 'X-RateLimit' : 'RateLimit';
    const figures = ['Limit', 'Remaining', 'Reset'].map(
      (one) => parseItem(fields[`${prefix}-${one}`] ?? '')[0],
    );
    // The time is 1000.5 s since 1970. The field counts from the next whole second.
    if (form === 'legacy') figures[2] = Number(figures[2]) - 1_001;
    return { figures, policy: fields['RateLimit-Policy'] };
  };

  describe.each(['draft-7', 'draft-6', 'legacy'] as const)('%s', (form) => {
    it('show the quota that refused, whatever is left of others', () => {
      expect(told(form, quotas({ ...bucket, remaining: 0 }, refused)).figures).toEqual([100, 3, 9]);
      expect(told(form, quotas({ ...bucket, remaining: 0 }), quotas(refused)).figures).toEqual([100, 3, 9]);
    });

    it('show otherwise the quota with the least share left, over the whole response', () => {
      expect(told(form, quotas(bucket, window, depth)).figures).toEqual([100, 40, 12]);
      expect(told(form, quotas(bucket), quotas(window)).figures).toEqual([100, 40, 12]);
      expect(told(form, quotas(window), quotas(bucket)).figures).toEqual([100, 40, 12]);
      expect(told(form, quotas(depth), quotas(bucket)).figures).toEqual([20, 15, 1]);
    });

    it('keep a refusal that is on the response already', () => {
      const fields = response([form], quotas(refused));
      fields['Retry-After'] = '9';
      const empty = { ...bucket, remaining: 0 };
      const more = limitFields([form], quotas(empty), (name) => fields[name]);
      expect(Object.keys(more)).toEqual(form === 'legacy' ? [] : ['RateLimit-Policy']);
    });

    it('replace what they cannot read', () => {
      const fields = limitFields([form], quotas(window), () => '"a";r=1');
      const field = { 'draft-7': 'RateLimit', 'draft-6': 'RateLimit-Limit', legacy: 'X-RateLimit-Limit' }[
        form
      ];
      expect(fields[field]).toMatch(/100/);
    });

    it('show one second where no clock gives anything back', () => {
      expect(told(form, quotas(depth)).figures).toEqual([8, 7, 1]);
    });
  });

  it.each(['draft-7', 'draft-6'] as const)('%s: policies with a window, each quota once', (form) => {
    const day = { ...window, tier: 'day', windowSeconds: 86_400 };
    expect(told(form, quotas(bucket, depth), quotas(window)).policy).toBe('20;w=2, 100;w=60');
    expect(told(form, quotas(window), quotas(bucket, day)).policy).toBe('100;w=86400, 20;w=2');
    expect(told(form, quotas(day), quotas(bucket, window)).policy).toBe('100;w=86400, 20;w=2');
    expect(response([form], quotas(depth))).not.toHaveProperty('RateLimit-Policy');
    const earlier = '10;w=1;burst=1000;policy="leaky bucket"';
    const fields = limitFields([form], quotas(window), (name) =>
      name === 'RateLimit-Policy' ? earlier : undefined,
    );
    expect(fields['RateLimit-Policy']).toBe(`${earlier}, 100;w=60`);
  });
});

describe('the options', () => {
  const bad = (options: object, kind: new (...args: never[]) => Error, text: RegExp) => {
    const error = thrown(() => limit(options));
    expectError(error, 'ERR_SLUICE_OPTION', kind);
    expect(error.message).toMatch(text);
  };

  it('refuse forms that do not exist', () => {
    bad({ headers: 'draft-9' }, RangeError, /^limit: headers: expected true, false, draft-10, .*"draft-9"$/);
    bad({ headers: 7 }, TypeError, /^limit: headers/);
    bad({ headers: [] }, RangeError, /^limit: headers/);
    bad({ headers: ['legacy', true] }, TypeError, /^limit: headers: a form/);
    bad({ headers: ['legacy', 'x'] }, RangeError, /^limit: headers: a form/);
    bad({ headers: { form: 'draft-7' } }, TypeError, /^limit: headers/);
  });

  it.each([
    [['draft-10', 'draft-8'], 'RateLimit'],
    [['draft-10', 'draft-7'], 'RateLimit'],
    [['draft-8', 'draft-7', 'legacy'], 'RateLimit'],
    [['draft-6', 'draft-10'], 'RateLimit-Policy'],
    [['draft-8', 'draft-6'], 'RateLimit-Policy'],
  ])('refuse forms that write a field differently: %j', (headers, field) => {
    bad({ headers }, RangeError, new RegExp(`no two forms that write ${field} differently`));
  });

  it.each([
    [['draft-7', 'draft-6', 'legacy']],
    [['draft-10', 'legacy']],
    [['draft-8', 'legacy', 'legacy']],
    ['legacy'],
    [false],
    [true],
  ])('combine the others: %j', (headers) => {
    expect(limit({ headers: headers as boolean | HeadersForm[] })).toBeTypeOf('function');
  });

  it('check the name', () => {
    for (const name of ['', 'a"b', 'a\\b', 'ü', 'a\nb', 'x'.repeat(65)])
      bad({ name }, RangeError, /^limit: name/);
    bad({ name: 5 }, TypeError, /^limit: name/);
    expect(limit({ name: "a, b; c=~'%" })).toBeTypeOf('function');
  });
});
