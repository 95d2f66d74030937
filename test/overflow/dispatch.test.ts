import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Queue, record, u53 } from 'sluice';
import { dispatch } from 'sluice/dispatch';
import { spill } from 'sluice/overflow';
import { describe, expect, it, onTestFinished } from 'vitest';
import { expectEnded, run } from '../program.js';
import { MemoryStore } from './memory-store.js';
import { lastHandled, orders } from './programs/work.js';
import { temporary } from './temporary.js';

const program = new URL('./programs/crew.js', import.meta.url);
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

type Line = [what: 'begun' | 'handled', id: number, deliveries: number];

function linesIn(log: string): Line[] {
  return readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith(']'))
    .map((line) => JSON.parse(line) as Line);
}

describe.each(['queue', 'gate'])('A dispatcher over a %s that spills', (kind) => {
  it('loses no stored order when its process is killed, and counts the delivery', async () => {
    const place = temporary();
    const log = join(place, 'log');
    writeFileSync(log, '');
    const module = new URL('./stores/lmdb.js', import.meta.url).href;
    const child = spawn(process.execPath, [fileURLToPath(program), module, place, log, kind, 'run'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'close');
    const before = linesIn(log);
    const inHand = before.filter(([what, id]) => what === 'begun' && id > lastHandled).map(([, id]) => id);
    expect(inHand.length).toBeGreaterThan(0);
    writeFileSync(log, '');
    expectEnded(await run(program, [module, place, log, kind, 'drain']), 0);
    const after = linesIn(log);
    const handled = after.filter(([what]) => what === 'handled').map(([, id]) => id);
    expect(new Set(handled)).toEqual(new Set(upTo(orders, lastHandled + 1)));
    expect(handled).toHaveLength(orders - lastHandled);
    const deliveries = new Map(after.map(([, id, count]) => [id, count]));
    expect(inHand.map((id) => deliveries.get(id))).toEqual(inHand.map(() => 2));
  });
});

const Work = record({ id: u53 });

describe('A crew that is closed', () => {
  it('says which unfinished orders the store has, and leaves them there', async () => {
    const store = new MemoryStore();
    const overflow = spill<{ id: number }>({ store });
    const queue = Queue.create(Work, { capacity: 2, overflow });
    onTestFinished(async () => {
      queue[Symbol.dispose]();
      await overflow.close();
    });
    await overflow.opened();
    await Promise.all(upTo(4).map((id) => queue.push({ id })));
    expect(store.kept.size).toBe(2);
    const crew = dispatch(queue, {
      workers: 1,
      concurrency: 2,
      handler: new URL('./programs/stuck-handler.js', import.meta.url),
      deadLetters: () => {},
    });
    while (crew.stats().inHand < 4) await sleep(1);
    const { unfinished } = await crew.close({ timeoutMs: 1 });
    expect(unfinished.map(({ order, stored }) => [order.id, stored])).toEqual([
      [1, false],
      [2, false],
      [3, true],
      [4, true],
    ]);
    await sleep(30); // longer than it takes to look for what can be removed
    expect(store.kept.size).toBe(2);
  });
});
