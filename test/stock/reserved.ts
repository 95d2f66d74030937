import type { Refused, Reserved } from 'sluice';

/** The reservation, or a failure that says why there is none. */
export function reserved(answer: Reserved | Refused): bigint {
  if (!answer.ok) throw new Error(`refused: ${answer.reason}`);
  return answer.reservation;
}
