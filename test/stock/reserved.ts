import type { Refused, Reserved } from 'sluice';

/** Returns the reservation. Throws the reason if there is none. */
export function reserved(answer: Reserved | Refused): bigint {
  if (!answer.ok) throw new Error(`refused: ${answer.reason}`);
  return answer.reservation;
}
