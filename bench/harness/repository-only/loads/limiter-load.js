/** What limiters are asked in every measurement, so that all of them answer the same questions. */

/** More than is asked in any measurement, and as much as every limiter can count. */
export const PLENTY = 1_000_000_000;

export const numberKeys = Array.from({ length: 1_000 }, (_, i) => 4_000_000 + i * 7);
export const keys = numberKeys.map((number) => `user-${number}`);

/** The one key of limits that are for everyone, where a limiter has keys. */
export const EVERYONE = 'everyone';
