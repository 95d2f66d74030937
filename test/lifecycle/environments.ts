/**
 * Environments of the addon, as each thread has one. With them a test of the 257th thread's refusal needs no threads.
 */
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

type Attach = (handle: object, staging: ArrayBuffer) => { dispose(): void } | string;

/** Attaches a stock or a limiter in `count` new environments. Returns the functions that dispose of the attachments. */
export function attachElsewhere(
  name: 'attachStock' | 'attachLimiter',
  handle: object,
  count: number,
): Array<() => void> {
  const file = fileURLToPath(new URL('../../build/Release/sluice.node', import.meta.url));
  return Array.from({ length: count }, () => {
    const module = { exports: {} as Record<typeof name, Attach> };
    process.dlopen(module, file, constants.dlopen.RTLD_NOW);
    const attached = module.exports[name](handle, new ArrayBuffer(65_536));
    if (typeof attached === 'string') throw new Error(attached);
    return () => attached.dispose();
  });
}
