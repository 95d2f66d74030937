import { SluiceError } from 'sluice';
import { expect } from 'vitest';

/** Any error of sluice, with the properties that only some errors have. */
export type Thrown = Error & { code?: string; field?: string; option?: string };

/** Returns what `act` throws; fails if it does not throw. */
export function thrown(act: () => unknown): Thrown {
  let returned: unknown;
  try {
    returned = act();
  } catch (error) {
    return error as Thrown;
  }
  throw new Error(`expected an error, got ${String(returned)}`);
}

/** Returns what `promise` rejects with; fails if it does not reject. */
export async function rejected(promise: Promise<unknown>): Promise<Thrown> {
  return promise.then(
    (value) => {
      throw new Error(`expected a rejection, got ${String(value)}`);
    },
    (error: unknown) => error as Thrown,
  );
}

/** Fails unless `error` is an error of sluice with this code and of this class. */
export function expectError(
  error: Thrown,
  code: string,
  kind: new (...args: never[]) => Error = SluiceError,
): void {
  expect(error).toBeInstanceOf(SluiceError);
  expect(error).toBeInstanceOf(kind);
  expect(error.code).toBe(code);
}
