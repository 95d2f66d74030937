/** The load of limiters in every measurement: all of them answer the same questions. */

/** More than any measurement uses, and not more than every limiter can count. */
export const PLENTY = 1_000_000_000;

export const numberKeys = Array.from({ length: 1_000 }, (_, i) => 4_000_000 + i * 7);
export const keys = numberKeys.map((number) => `user-${number}`);

/** The one key of a limit for all, for limiters that need a key. */
export const EVERYONE = 'everyone';
