// handles.js <story>: checks what becomes of a queue when the threads that hold it come and go.
import { once } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const [story] = process.argv.slice(2);

/** A worker that holds a queue and does what each message asks for: see ./holder.js. */
class Holder {
  constructor(workerData = {}) {
    this.worker = new Worker(new URL('./holder.js', import.meta.url), { workerData });
  }

  async ask(message) {
    this.worker.postMessage(message);
    const [answer] = await once(this.worker, 'message');
    return answer;
  }

  async end() {
    const exited = once(this.worker, 'exit');
    this.worker.postMessage({ do: 'end' });
    const [code] = await exited;
    equal(code, 0);
  }
}

function equal(actual, expected) {
  if (String(actual) !== String(expected)) throw new Error(`expected ${expected}, got ${actual}`);
}

/** @type {Record<string, () => Promise<void>>} */
const stories = {
  async 'the creator ends before the others'() {
    const creator = new Holder();
    const { handle } = await creator.ask({ do: 'create' });
    const other = new Holder();
    equal((await other.ask({ do: 'attach', handle })).done, 'attached');
    await creator.ask({ do: 'push', number: 1 });
    await creator.end();
    const { Queue } = await import('sluice');
    const { Row } = await import('./row.js');
    const queue = Queue.attach(Row, handle);
    equal((await other.ask({ do: 'push', number: 2 })).done, 'pushed');
    equal(
      queue.popMany(9).map(({ number }) => number),
      [1, 2],
    );
    const sleeping = (async () => {
      for await (const { number } of queue) return number;
    })();
    await immediate();
    await other.ask({ do: 'push', number: 3 });
    equal(await sleeping, 3);
    await other.end();
    queue.tryPush({ number: 4 });
    equal(queue.tryPop().number, 4);
  },

  async 'the last holder ends: the handle is dead'() {
    const creator = new Holder();
    const { handle } = await creator.ask({ do: 'create' });
    await creator.end();
    const late = new Holder();
    equal((await late.ask({ do: 'attach', handle })).error, 'ERR_SLUICE_HANDLE');
    await late.end();
    const { Queue } = await import('sluice');
    const { Row } = await import('./row.js');
    try {
      Queue.attach(Row, handle);
    } catch (error) {
      equal(error.code, 'ERR_SLUICE_HANDLE');
      return;
    }
    throw new Error('attached to a queue that is gone');
  },

  async 'the holder is terminated: the handle is dead'() {
    const creator = new Holder();
    const { handle } = await creator.ask({ do: 'create' });
    await creator.worker.terminate();
    const late = new Holder();
    equal((await late.ask({ do: 'attach', handle })).error, 'ERR_SLUICE_HANDLE');
    await late.end();
  },

  async 'the creator disposes: the handle is dead'() {
    const creator = new Holder();
    const { handle } = await creator.ask({ do: 'create' });
    const other = new Holder();
    await other.ask({ do: 'attach', handle });
    await creator.ask({ do: 'dispose' });
    equal((await other.ask({ do: 'push', number: 1 })).done, 'pushed'); // others keep their attachments
    await other.ask({ do: 'dispose' });
    equal((await other.ask({ do: 'attach', handle })).error, 'ERR_SLUICE_HANDLE');
    equal((await creator.ask({ do: 'attach', handle })).error, 'ERR_SLUICE_HANDLE');
    await Promise.all([creator.end(), other.end()]);
  },

  // The main thread never loads the addon. The addon must survive the end of the worker that loaded it first, and of
  // each later worker.
  async 'only workers load the addon, one after another'() {
    for (let i = 0; i < 10; i++) {
      const holder = new Holder();
      await holder.ask({ do: 'create' });
      equal((await holder.ask({ do: 'push', number: i })).done, 'pushed');
      equal((await holder.ask({ do: 'pop' })).number, i);
      await (i % 2 ? holder.end() : holder.worker.terminate());
    }
  },

  async 'only workers hold the queue, each hands it to the next'() {
    let holder = new Holder();
    const { handle } = await holder.ask({ do: 'create' });
    for (let i = 0; i < 10; i++) {
      await holder.ask({ do: 'push', number: i });
      const next = new Holder();
      await next.ask({ do: 'attach', handle });
      await (i % 2 ? holder.end() : holder.worker.terminate());
      equal((await next.ask({ do: 'pop' })).number, i);
      holder = next;
    }
    await holder.end();
  },
};

await stories[story]();
console.log('ok');
