import { SluiceError, type SluiceErrorCode } from '../input/index.js';

/** Makes the error of a store. `cause`: the error of the system or of the engine. */
export function storeError(
  code: Extract<
    SluiceErrorCode,
    `ERR_SLUICE_STORE_${string}` | 'ERR_SLUICE_FULL' | 'ERR_SLUICE_SCHEMA' | 'ERR_SLUICE_LAYOUT'
  >,
  store: string,
  what: string,
  cause?: unknown,
): SluiceError {
  return new SluiceError(code, `${store}: ${what}`, cause === undefined ? undefined : { cause });
}
