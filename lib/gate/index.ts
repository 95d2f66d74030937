export { type Admission, Admitted, reservedDirectly, standingOf } from './admission.js';
export { missingOption } from './admit-errors.js';
export { Gate, type GateHandle, insideGate } from './gate.js';
export { Hold, type Resolve } from './hold.js';
export { handled, isHeard, publishAdmission } from './notices.js';
export {
  type AdmitOptions,
  checkedAdmit,
  checkedHoldMs,
  type GateConsumeOptions,
  type GateOptions,
} from './options.js';
export { type OrderLoop, reportUnconfirmed } from './order-loop.js';
export { type Part, type PartFields, partError, partField, parts } from './parts.js';
export type { GateStats } from './stats.js';
