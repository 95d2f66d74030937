/**
 * Whether sluice's code in `folder` of lib/ has called the caller, directly or not. A built-in that a test has replaced
 * is also called by the test runner, whenever the event loop turns.
 */
export function isCalledFrom(folder: string): boolean {
  return new RegExp(`/(lib|dist)/${folder}/`).test(new Error('for its stack').stack ?? '');
}
