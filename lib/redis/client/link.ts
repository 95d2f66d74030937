import { isOfConnection } from './faults.js';
import { connectMs, type RedisPort } from './port.js';
import { within } from './within.js';

/**
 * A connection of sluice's own, beside the program's. A command that is not answered in time, or whose connection
 * fails, closes the connection; the next command opens another one. So nothing waits for ever for a peer that has died
 * unnoticed.
 */
export class Link {
  readonly #port: RedisPort;
  readonly #key: string;
  #connection: Promise<RedisPort> | undefined;
  #isClosed = false;

  constructor(port: RedisPort, key: string) {
    this.#port = port;
    this.#key = key;
  }

  /** Makes a call on the connection, and waits at most `ms` milliseconds for its result. */
  async use<T>(ms: number, call: (port: RedisPort) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new Error('closed');
    this.#connection ??= this.#port.duplicate(this.#key);
    const connection = this.#connection;
    let port: RedisPort;
    try {
      // The ports of sluice have a limit of their own; a port that the program wrote may have none.
      port = await within(2 * connectMs, connection);
    } catch (error) {
      this.#drop(connection);
      throw error;
    }
    try {
      return await within(ms, call(port));
    } catch (error) {
      if (isOfConnection(error)) this.#drop(connection);
      throw error;
    }
  }

  /** Closes the connection. Calls that wait for an answer are rejected. */
  close(): void {
    this.#isClosed = true;
    if (this.#connection !== undefined) this.#drop(this.#connection);
  }

  #drop(connection: Promise<RedisPort>): void {
    if (this.#connection === connection) this.#connection = undefined;
    connection.then(
      (port) => port.close(),
      () => {}, // it was never there
    );
  }
}
