import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { native } from '../../dist/binding/index.js';
import { until } from '../queue/until.js';
import { Shop } from './crew.js';
import { work } from './work.js';

const isLinux = process.platform === 'linux';
const handler = new URL('./workers/processor-handler.js', import.meta.url);

/** Returns the processors that this process may use. */
function allowed(): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

describe('workers with cpus', () => {
  it.skipIf(!isLinux)('run on their processor only, also after they were replaced', async () => {
    const cpus = allowed().slice(0, 2);
    const seen = new SharedArrayBuffer(4 * 100);
    new Int32Array(seen).fill(-2);
    const shop = new Shop();
    const crew = shop.dispatch({ workers: 3, handler, data: seen, cpus });
    await crew.ready;
    expect(crew.stats().pinning).toBe('on');
    expect(crew.stats().workers.map(({ cpu }) => cpu)).toEqual([0, 1, 2].map((i) => cpus[i % cpus.length]));
    crew.replace(1);
    await until(() => crew.stats().deaths === 1 && crew.stats().workers[1]?.state === 'up');
    shop.admit(Array.from({ length: 100 }, (_, id) => work(id)));
    shop.queue.close();
    await crew.done;
    expect(new Set(new Int32Array(seen))).toEqual(new Set(cpus));
    expect(allowed().length).toBeGreaterThanOrEqual(cpus.length); // this thread is bound to none
  });

  it.skipIf(!isLinux)('fail at the start if there is no such processor', async () => {
    const crew = new Shop().dispatch({ workers: 1, handler, cpus: [1_023] });
    await expect(crew.done).rejects.toThrow(
      'dispatch: cpus: expected processors that this process may run on, got 1023',
    );
  });

  // Not skipped elsewhere: on Linux there is nothing that this could test.
  if (!isLinux) {
    it('run on any processor where the system cannot bind threads, and say so', async () => {
      const crew = new Shop().dispatch({ workers: 1, cpus: [0] });
      await crew.ready;
      expect(crew.stats()).toMatchObject({ pinning: 'unsupported', workers: [{ cpu: undefined }] });
      await crew.close();
    });
  }

  it('are bound by a native function that answers whether it could', () => {
    expect(native.pinThread(4_294_967_295)).toBe(isLinux ? false : undefined);
  });
});
