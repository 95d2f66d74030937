/** The functions to call when a signal aborts. They share one listener. */
interface Watch {
  readonly calls: Set<() => void>;
  readonly listener: () => void;
}

const watches = new WeakMap<AbortSignal, Watch>();

/**
 * Calls `call` once when `signal` aborts; `call` must not throw. The returned function cancels the call. All waits on a
 * signal share one listener, which is removed with the last of them: Node.js 20 warns of the eleventh listener,
 * although many waits on one signal are no leak; and only the program may change that limit of a signal.
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
    if (!signal.aborted) return; // the program has dispatched an event of that name
    signal.removeEventListener('abort', listener);
    watches.delete(signal);
    for (const call of calls) {
      calls.delete(call); // before it runs, so that cancelling it meanwhile does nothing
      call();
    }
  };
  const made = { calls, listener };
  signal.addEventListener('abort', listener);
  watches.set(signal, made);
  return made;
}
