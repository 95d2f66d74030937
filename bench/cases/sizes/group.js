/** Messages of other sizes than those of the group throughput. */

import { recordSizes } from '../../harness/traffic.js';
import { patternText, throughputComparison } from '../throughput/comparison.js';

const patterns = /** @type {const} */ (['one', '64']);

/** @type {import('../../harness/runner/group.js').Group} */
export const group = {
  name: 'sizes',
  title: 'Throughput by message size',
  about:
    'One producer to a consumer on its event loop. A record of 8 bytes is three numbers; records of 256 and ' +
    '1024 bytes are the order of 64 bytes and a payload, which the consumer reads.',
  roundsMax: 3,
  comparisons: recordSizes
    .filter((recordBytes) => recordBytes !== 64)
    .flatMap((recordBytes) =>
      patterns.map((pattern) =>
        throughputComparison({
          id: `sizes/${recordBytes}/${pattern}`,
          title: `${recordBytes} bytes, ${patternText(pattern)}`,
          producers: 1,
          pattern,
          recordBytes,
        }),
      ),
    ),
  bars: [],
};
