/** The load of the limiters in the groups limiter and gate: all of them answer the same questions. */

/** More than any measurement uses, and few enough for every limiter to count. */
export const PLENTY = 1_000_000_000;

export const numberKeys = Array.from({ length: 1_000 }, (_, i) => 4_000_000 + i * 7);
export const keys = numberKeys.map((number) => `user-${number}`);

/** The key of all calls, where a limiter needs a key but the measured limit has none. */
export const EVERYONE = 'everyone';
