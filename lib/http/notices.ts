import { channel } from 'node:diagnostics_channel';
import { errorText, type Options } from '../input/index.js';
import { isPromise } from './promises.js';
import type { RefusalInfo } from './refusal.js';

/**
 * Gets a message for each refusal, those of dry runs included: `{ request, info }`, where `info` is a `RefusalInfo`.
 */
const refused = channel('sluice:http:refused');
/**
 * Gets a message for each error of a function whose failure does not change the answer: `{ request, option, error }`.
 */
const callbackFailed = channel('sluice:http:callback-failed');

/** Reports refusals to the program, by the option `onRefused` and a channel. */
export class Notices<Request> {
  readonly #where: string;
  readonly #onRefused: ((info: RefusalInfo, request: Request) => unknown) | undefined;
  /** The options whose failure has caused a process warning. Each option causes at most one. */
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

  /** Reports the failure of a function among the options. The answer to the request does not depend on it. */
  failed(option: string, error: unknown, request: Request): void {
    if (callbackFailed.hasSubscribers) callbackFailed.publish({ request, option, error });
    if (this.#warned.has(option)) return;
    this.#warned.add(option);
    process.emitWarning(`${this.#where}: ${option} has failed: ${errorText(error)}`, {
      type: 'SluiceWarning',
      code: 'SLUICE_HTTP_CALLBACK',
    });
  }
}
