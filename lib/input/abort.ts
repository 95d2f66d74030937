/** What is to be called when a signal aborts. One listener serves all of them. */
interface Watch {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Calls `call`, which must not throw, once when `signal` aborts, until the function that is returned is called. A
 * signal has one listener for all who wait on it, gone with the last of them: many waits on one signal are no leak,
 * though Node.js 20 warns of the eleventh listener, and its limit is not ours to change.
 */
export function onAbort(signal: AbortSignal | undefined, call: () => void): () => void {
  if (signal === undefined) return () => {};
  const { calls, listener } = watches.get(signal) ?? watch(signal);
  calls.add(call);
  return () => {
    if (!calls.delete(call) || calls.size > 0) return;
    signal.removeEventListener('abort', listener);
    watches.delete(signal);
  };
}

function watch(signal: AbortSignal): Watch {
  const calls = new Set<() => void>();
  const listener = (): void => {
    if (!signal.aborted) return; // an event of that name which somebody dispatched
    signal.removeEventListener('abort', listener);
    watches.delete(signal);
    for (const call of calls) {
      calls.delete(call); // before it runs: its own end finds nothing left to do
      call();
    }
  };
  const made = { calls, listener };
  signal.addEventListener('abort', listener);
  watches.set(signal, made);
  return made;
}
