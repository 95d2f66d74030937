export { type Admission, Gate, type GateHandle } from './gate.js';
export type { Hold } from './hold.js';
export type { AdmitOptions, GateConsumeOptions, GateOptions } from './options.js';
