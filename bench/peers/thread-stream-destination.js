/** The worker's side of thread-stream: the stream that it writes to. */
import { Writable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import { reportingVisit } from '../spawning/consumer.js';
import { orderOf } from './order-text.js';

const visit = reportingVisit((report) => {
  parentPort?.postMessage({ code: 'EVENT', name: 'arrived', args: [report] });
});

// The package asks for a default export.
// biome-ignore lint/style/noDefaultExport: see above
export default async function destination() {
  let rest = '';
  return new Writable({
    decodeStrings: false,
    write(/** @type {string} */ text, _encoding, done) {
      const lines = (rest + text).split('\n');
      rest = /** @type {string} */ (lines.pop());
      for (const line of lines) visit(orderOf(line));
      done();
    },
  });
}
