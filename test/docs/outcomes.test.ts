import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { answerToAdmission } from '../../examples/flash-sale/answers.js';
import { outcomes, reserveResults } from '../../lib/binding/contract.js';
import { mistyped } from '../mistyped.js';

const page = readFileSync(fileURLToPath(new URL('../../docs/outcomes.md', import.meta.url)), 'utf8');
const [, first = ''] = page.split('\n## What gate.admit answers\n');
/** The statuses of the table of admissions, by their outcomes. */
const shown = new Map(
  [...(first.split('\n## ')[0] ?? '').matchAll(/^\| `([a-z-]+)` \| .+ \| (\d{3}) \|/gm)].map(
    ([, outcome = '', status]) => [outcome, Number(status)] as const,
  ),
);

it('docs/outcomes.md lists every outcome of a gate', () => {
  const {
    reserved,
    duplicate,
    'needs-user': needsUser,
    'admitted-by-gate': byGate,
    ...refusals
  } = reserveResults;
  expect([reserved, duplicate, needsUser, byGate].every((number) => typeof number === 'number')).toBe(true);
  expect(outcomes).toHaveProperty('queue-full');
  const others = ['admitted', 'already-ended', 'rate-limited', 'queue-full', 'closed'];
  expect([...shown.keys()].sort()).toEqual([...others, ...Object.keys(refusals)].sort());
});

it.each([...shown])(
  'docs/outcomes.md has the status that the flash sale sends: %s, %i',
  (outcome, status) => {
    const admission = { outcome, reservation: 1n, state: 'held', tier: 'token-bucket', retryAfterMs: 1 };
    expect(answerToAdmission(mistyped(admission)).status).toBe(status);
  },
);
