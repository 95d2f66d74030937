/**
 * The seed of this run's random tests: `SLUICE_SEED`, or a fresh one. It is printed, so that a failure can be replayed
 * with `SLUICE_SEED=... npx vitest run <file>`.
 */
export const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31)) | 0;

/** The beginning of a random test's failure message. */
export const replay = `SLUICE_SEED=${seed}`;

console.log(replay);
