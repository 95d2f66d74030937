export type { RedisAdmission } from './admission.js';
export { RedisGate } from './gate.js';
export type { RedisGateOptions } from './options.js';
export type { RedisGateStats } from './stats.js';
