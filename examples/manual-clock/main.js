// @ts-check
// A test of time-dependent code that takes no time: the clock moves when the test moves it. Run: node --test main.js
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Limiter, ManualClock } from 'sluice';

/** @param {ManualClock} [clock] a test passes one; the service passes none */
function loginLimiter(clock) {
  const options = { slidingWindow: { limit: 3, windowMs: 60_000, exact: true }, keys: { max: 1_000 } };
  return Limiter.create(clock === undefined ? options : { ...options, clock });
}

test('three attempts a minute for each user', () => {
  const clock = new ManualClock();
  const limiter = loginLimiter(clock);
  for (let attempt = 1; attempt <= 3; attempt++) assert.equal(limiter.allow('anna'), true);
  assert.equal(limiter.allow('anna'), false);
  assert.equal(limiter.allow('ben'), true);
  clock.advance(59_999);
  assert.equal(limiter.allow('anna'), false);
  clock.advance(1);
  assert.equal(limiter.allow('anna'), true);
});

test('a call that waits passes when its time comes', async () => {
  const clock = new ManualClock();
  const limiter = loginLimiter(clock);
  for (let attempt = 1; attempt <= 3; attempt++) limiter.allow('anna');
  const waiting = limiter.acquire({ key: 'anna' });
  clock.advance(60_000);
  assert.equal((await waiting).allowed, true);
});
