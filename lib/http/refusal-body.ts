import type { Tier } from '../limiter/index.js';

/** The body of the answer to a refusal. */
interface Body {
  readonly body: string;
  readonly contentType: string;
}

/** Returns the body of a refusal without the option `problem`. */
export function plainBody(oversized: boolean): Body {
  const body = oversized ? '{"error":"costs more than its limit"}' : '{"error":"rate limited"}';
  return { body, contentType: 'application/json' };
}

/**
 * Returns problem details (RFC 9457) with the types that the RateLimit draft registers. `policies` are the names of the
 * quotas that refused.
 */
export function problemDetails(
  status: number,
  tier: Tier,
  oversized: boolean,
  policies: readonly string[],
): Body {
  const details = detailsOf(status, tier, oversized, policies);
  return { body: JSON.stringify(details), contentType: 'application/problem+json' };
}

function detailsOf(status: number, tier: Tier, oversized: boolean, policies: readonly string[]): object {
  if (oversized) {
    const title = status === 413 ? 'Content Too Large' : 'Bad Request';
    const detail = 'The request costs more than its limit allows at any time';
    return { type: 'about:blank', title, status, detail, 'violated-policies': policies };
  }
  if (tier === 'blocked') return { type: 'about:blank', title: 'Too Many Requests', status };
  const reduced = status === 503 || tier === 'adaptive';
  return {
    type: `https://iana.org/assignments/http-problem-types#${reduced ? 'temporary-reduced-capacity' : 'quota-exceeded'}`,
    title: reduced
      ? 'Request cannot be satisfied due to temporary server capacity constraints'
      : 'Request cannot be satisfied as assigned quota has been exceeded',
    status,
    ...(tier !== 'adaptive' ? { 'violated-policies': policies } : {}),
  };
}
