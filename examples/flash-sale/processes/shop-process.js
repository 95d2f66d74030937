// @ts-check
import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * The answers of one process since its start, which it tells five times a second.
 * @typedef {object} ShopAnswers
 * @property {number} answered
 * @property {number} admitted
 * @property {Record<string, number>} byStatus
 * @property {Record<string, number>} byOutcome
 */

/** @type {ShopAnswers} */
const NO_ANSWERS = { answered: 0, admitted: 0, byStatus: {}, byOutcome: {} };

const SHOP = new URL('shop.js', import.meta.url);

/** One of the processes of a sale, from the parent's side. */
export class ShopProcess {
  url = '';
  deaths = 0;
  /** The answers that the process has told, and before it those that were killed in its place. */
  answers = [NO_ANSWERS];
  #task;
  /** @type {import('node:child_process').ChildProcess} */
  #child;
  /** @type {Promise<string[]>} what went wrong */
  #result;
  #isDying = false;

  /** @param {import('./shop.js').ShopTask} task */
  constructor(task) {
    this.#task = task;
    [this.#child, this.#result] = this.#spawn();
  }

  /** @returns {[import('node:child_process').ChildProcess, Promise<string[]>]} */
  #spawn() {
    const child = fork(SHOP, [JSON.stringify(this.#task)]);
    const kill = () => child.kill('SIGKILL'); // also if this program fails
    process.once('exit', kill);
    child.once('exit', () => process.off('exit', kill));
    const result = new Promise((resolve, reject) => {
      child.on('message', (/** @type {{ type: string, value: any }} */ { type, value }) => {
        if (type === 'answers') this.answers[this.deaths] = value;
        if (type === 'result') resolve(value);
      });
      child.once('exit', (code, signal) => {
        if (!this.#isDying)
          reject(new Error(`a process of the sale ended (${signal ?? code}) and gave no result`));
      });
    });
    result.catch(() => {});
    return [child, result];
  }

  /** Resolves when the process serves. */
  async ready() {
    const first = new Promise((resolve) => {
      this.#child.on('message', (/** @type {{ type: string, value: any }} */ { type, value }) => {
        if (type === 'ready') resolve(value.url);
      });
    });
    this.url = await Promise.race([first, this.#result.then(() => '')]);
  }

  /** Rejects when the process ends, which it must not do while the sale is open. */
  async failure() {
    await this.#result;
    throw new Error('a process ended while the sale was open');
  }

  /** Kills the process, and starts another one that serves on the same port. */
  async replace() {
    this.#isDying = true;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
    this.#isDying = false;
    this.deaths += 1;
    this.answers.push(NO_ANSWERS);
    this.#task = { ...this.#task, port: Number(new URL(this.url).port) };
    [this.#child, this.#result] = this.#spawn();
    await this.ready();
  }

  /**
   * Lets the process serve no more, and handle what is left. Returns what went wrong in it.
   * @returns {Promise<string[]>}
   */
  async close() {
    this.#child.send('close');
    return await this.#result;
  }

  kill() {
    this.#child.kill('SIGKILL');
  }
}
