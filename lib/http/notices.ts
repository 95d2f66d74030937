import { channel } from 'node:diagnostics_channel';
import type { Options } from '../input/index.js';
import { isPromise } from './promises.js';
import type { RefusalInfo } from './refusal.js';

/** Told of each refusal, those of dry runs included: `{ request, info }`, the second a `RefusalInfo`. */
const refused = channel('sluice:http:refused');
/** Told of what a function among the options has thrown whose failure changes no answer: `{ request, option, error }`. */
const callbackFailed = channel('sluice:http:callback-failed');

/** Told of refusals: the program, by the option `onRefused` and a channel. */
export class Notices<Request> {
  readonly #where: string;
  readonly #onRefused: ((info: RefusalInfo, request: Request) => unknown) | undefined;
  /** The options whose failure the process was warned of: it is once. */
  readonly #warned = new Set<string>();

  constructor(where: string, given: Options) {
    this.#where = where;
    this.#onRefused = given.callback('onRefused');
  }

  refused(info: RefusalInfo, request: Request): void {
    if (refused.hasSubscribers) refused.publish({ request, info });
    try {
      const result = this.#onRefused?.(info, request);
      if (isPromise(result)) result.then(undefined, (error) => this.failed('onRefused', error, request));
    } catch (error) {
      this.failed('onRefused', error, request);
    }
  }

  /** A function among the options has failed, and the answer to the request does not depend on it. */
  failed(option: string, error: unknown, request: Request): void {
    if (callbackFailed.hasSubscribers) callbackFailed.publish({ request, option, error });
    if (this.#warned.has(option)) return;
    this.#warned.add(option);
    process.emitWarning(`${this.#where}: ${option} has failed: ${shown(error)}`, {
      type: 'SluiceWarning',
      code: 'SLUICE_HTTP_CALLBACK',
    });
  }
}

function shown(error: unknown): string {
  try {
    return String(error);
  } catch {
    return 'an error that cannot be shown';
  }
}
