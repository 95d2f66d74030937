/** Orders that one native call takes: as many as the queue's staging has room for. */
export const takenMax = 64;

/** Words of the staging buffer, and those of each order taken: see native/addon/gate_attachment.h. */
export const words = { reservation: 0, retryAfterMs: 1, line: 2, renewInMs: 3, taken: 4, each: 2 };

export const stagingBytes: number = (words.taken + words.each * takenMax) * 8;
