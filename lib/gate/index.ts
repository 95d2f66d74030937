export { type Admission, Gate, type GateConsumeOptions, type GateHandle, type GateOptions } from './gate.js';
export type { Hold } from './hold.js';
