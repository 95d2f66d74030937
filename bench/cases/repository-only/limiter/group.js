/**
 * Limiters: the cost of an answer in one thread, and the number of answers a second that several threads or processes
 * with one limit get.
 */

import { ifInstalled } from '../../../harness/repository-only/if-installed.js';
import { measureCluster } from '../../../rivals/limiters/rate-limiter-flexible-cluster.js';
import { cost, rate } from '../calls/figure.js';
import * as sluiceModule from './sluice-limiter.js';

const sluice = { module: sluiceModule };
const flexible = await ifInstalled(() => import('../../../rivals/limiters/rate-limiter-flexible.js'));
const limiter = await ifInstalled(() => import('../../../rivals/limiters/limiter.js'));
const express = await ifInstalled(() => import('../../../rivals/limiters/express-rate-limit.js'));
const bottleneck = await ifInstalled(() => import('../../../rivals/limiters/bottleneck.js'));
const call = 'limiter/call';
const shared = 'limiter/shared';
const flexibleKey = 'rate-limiter-flexible consume(string)';
const tokenBucket = 'limiter TokenBucket.tryRemoveTokens()';
const expressStore = 'express-rate-limit MemoryStore.increment(string)';
const oneInFlight = 'rate-limiter-flexible cluster, 1 in flight each';
const manyInFlight = 'rate-limiter-flexible cluster, 64 in flight each';
const threads = 'sluice allow(), 2 threads';

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'limiter',
  title: 'Limiters',
  about:
    'Threads or processes ask as fast as they can; all calls are allowed, which is checked. Keys are those of ' +
    '1,000 users. If a limiter returns a promise, it is awaited. Every limiter except sluice is for one thread ' +
    'or asks another process.',
  comparisons: [
    {
      title: 'One answer, one thread',
      figures: [{ id: call, title: 'One answer', unit: 'ns' }],
      cases: [
        cost(call, 'sluice allow()', sluice, 'allow()'),
        cost(call, 'sluice allow(number)', sluice, 'allow(number)'),
        cost(call, 'sluice allow(string)', sluice, 'allow(string)'),
        cost(call, 'sluice allow(), three tiers', sluice, 'allow(), three tiers'),
        cost(call, 'sluice tryAcquire()', sluice, 'tryAcquire()'),
        cost(call, tokenBucket, limiter, 'TokenBucket.tryRemoveTokens'),
        cost(call, 'limiter RateLimiter.tryRemoveTokens()', limiter, 'RateLimiter.tryRemoveTokens'),
        cost(call, flexibleKey, flexible, 'consume(string)'),
        cost(call, 'rate-limiter-flexible consume, one key', flexible, 'consume, one key'),
        cost(call, expressStore, express, 'MemoryStore.increment(string)'),
        cost(call, 'bottleneck schedule, 1 in flight', bottleneck, 'schedule, one in flight'),
        cost(call, 'bottleneck schedule, 50 in flight', bottleneck, 'schedule, 50 in flight'),
      ],
    },
    {
      title: 'One limit, shared by two',
      figures: [{ id: shared, title: 'Answers of both together', unit: '1/s' }],
      cases: [
        rate(shared, threads, sluice, 'allow()', 2),
        cluster(oneInFlight, 1),
        cluster(manyInFlight, 64),
      ],
    },
  ],
  bars: [
    cheaper('allow(string) vs rate-limiter-flexible consume(string)', 'sluice allow(string)', flexibleKey),
    cheaper('allow(string) vs express-rate-limit increment(string)', 'sluice allow(string)', expressStore),
    {
      ...cheaper('allow() vs limiter TokenBucket.tryRemoveTokens()', 'sluice allow()', tokenBucket),
      atLeast: 1.2,
    },
    {
      claim: 'allow() shared by 2 threads vs rate-limiter-flexible cluster, each one call after the other',
      of: { figure: shared, subject: threads },
      to: { figure: shared, subject: oneInFlight },
      atLeast: 200,
    },
    {
      claim:
        'allow() shared by 2 threads vs rate-limiter-flexible cluster, 64 calls in flight in each worker',
      of: { figure: shared, subject: threads },
      to: { figure: shared, subject: manyInFlight },
      atLeast: 200,
    },
  ],
};

/**
 * A bar for the rival's cost as a multiple of sluice's.
 * @param {string} claim
 * @param {string} ours
 * @param {string} theirs
 */
function cheaper(claim, ours, theirs) {
  return { claim, of: { figure: call, subject: theirs }, to: { figure: call, subject: ours } };
}

/**
 * @param {string} subject
 * @param {number} inFlight
 * @returns {import('../../../harness/runner/group.js').Case}
 */
function cluster(subject, inFlight) {
  const skip = flexible.missing;
  return {
    subject,
    ...(skip === undefined ? {} : { skip }),
    run: async ({ warmUpMs, measuredMs }) => ({
      [shared]: await measureCluster({ workers: 2, inFlight, warmUpMs, measuredMs }),
    }),
  };
}
