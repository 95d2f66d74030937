/** The worker's side of thread-stream: the stream to which the package writes. */
import { Writable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import { reportingVisit } from '../../harness/repository-only/spawning/consumer.js';
import { OrderBytes } from './order-bytes.js';
import { TEXT_BYTES, TEXT_CHARACTERS } from './order-text.js';

const visit = reportingVisit((report) => {
  parentPort?.postMessage({ code: 'EVENT', name: 'arrived', args: [report] });
});

/** @param {string} text of whole orders */
function visitAll(text) {
  const { buffer, byteOffset, length } = Buffer.from(text, 'base64');
  const view = new OrderBytes(new DataView(buffer, byteOffset, length));
  for (; view.at < length; view.at += TEXT_BYTES) visit(view);
}

// The package asks for a default export.
// biome-ignore lint/style/noDefaultExport: see above
export default async function destination() {
  let rest = '';
  return new Writable({
    decodeStrings: false,
    write(/** @type {string} */ text, _encoding, done) {
      const all = rest + text;
      const whole = all.length - (all.length % TEXT_CHARACTERS);
      rest = all.slice(whole);
      visitAll(all.slice(0, whole));
      done();
    },
  });
}
