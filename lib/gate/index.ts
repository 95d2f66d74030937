export type { Admission } from './admission.js';
export { Gate, type GateHandle, insideGate } from './gate.js';
export { Hold, type Resolve } from './hold.js';
export { handled } from './notices.js';
export type { AdmitOptions, GateConsumeOptions, GateOptions } from './options.js';
export { type OrderLoop, reportUnconfirmed } from './order-loop.js';
export type { GateStats } from './stats.js';
