export type { Admission } from './admission.js';
export { Gate, type GateHandle } from './gate.js';
export type { Hold } from './hold.js';
export type { AdmitOptions, GateConsumeOptions, GateOptions } from './options.js';
export type { GateStats } from './stats.js';
