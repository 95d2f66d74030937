// A child process attaches to a handle of its parent. The child has a queue with the same id, but with another token.
import { fork } from 'node:child_process';
import { Queue, record, u32 } from 'sluice';

const Row = record({ number: u32 });
const queue = Queue.create(Row, { capacity: 1 });
if (process.send === undefined) {
  const child = fork(new URL(import.meta.url), { serialization: 'advanced' });
  child.send(queue.handle);
  child.on('exit', (code, signal) => {
    queue.tryPush({ number: 1 });
    console.log(
      code === 0 && signal === null && queue.depth === 1 ? 'ok' : `the child ended with ${code ?? signal}`,
    );
  });
} else {
  process.once('message', (handle) => {
    try {
      Queue.attach(Row, handle);
    } catch (error) {
      if (error.code === 'ERR_SLUICE_HANDLE') process.exit(0);
    }
    process.exit(3);
  });
}
