import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { temporary } from '../overflow/temporary.js';
import { Example, type Finished } from './run-example.js';

const RUN_MS_MAX = 60_000;

let example: Example | undefined;

afterEach(async () => {
  example?.kill('SIGKILL');
  await example?.finished;
});

function run(...args: string[]): Promise<Finished> {
  example = new Example(args);
  return example.finished;
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

describe('a sale with built-in load', { timeout: RUN_MS_MAX }, () => {
  it('prints one JSON object whose verdicts hold and whose totals add up, and exits with 0', async () => {
    const slowBank = ['--import', new URL('slow-bank.js', import.meta.url).href];
    example = new Example(['--requests', '6000', '--users', '2000', '--json'], slowBank);
    const { code, stdout, stderr } = await example.finished;
    const report = JSON.parse(stdout);

    expect(report.problems).toEqual([]);
    expect(report.verdicts).toMatchObject({
      nothingOversold: { holds: true },
      resolvedExactlyOnce: { holds: true },
      processedInOrder: { holds: true },
      auditPassed: { holds: true },
    });
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true });
    expect(stderr).toContain('6,000 of 6,000 requests');

    const { byStatus, byOutcome } = report.requests;
    expect(report.requests).toMatchObject({ planned: 6_000, answered: 6_000, unanswered: 0 });
    expect(sum(byStatus)).toBe(6_000);
    expect(sum(byOutcome)).toBe(6_000);
    expect(report.responseMs.count).toBe(6_000);
    expect(Object.keys(byStatus)).toEqual(expect.arrayContaining(['202', '400', '409', '413', '429', '503']));
    // Whether a client repeats an order while it is still known as admitted depends on the machine.
    expect(byStatus['202']).toBe(byOutcome.admitted + (byOutcome['admitted before'] ?? 0));
    expect(byStatus['400']).toBe(byOutcome['bad-order']);
    expect(byStatus['413']).toBe(byOutcome['too-large']);
    expect(byStatus['429']).toBe(byOutcome['rate-limited']);

    expect(report.admissionToHandledMs.count).toBe(byOutcome.admitted);
    expect(report.queue.peakDepth).toBe(report.queue.capacity);
    expect(report.items.map((item: { offered: number }) => item.offered)).toEqual([500, 300, 200]);
    for (const { offered, sold, returned, left } of report.items) {
      expect(sold + left).toBe(offered);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(returned).toBeGreaterThan(0);
    }
    for (const { p50, p99, p999, max } of [report.responseMs, report.admissionToHandledMs]) {
      expect([p50, p99, p999, max]).toEqual([p50, p99, p999, max].sort((a, b) => a - b));
      expect(p50).toBeGreaterThan(0);
    }
    expect(report.rssPeakBytes).toBeGreaterThan(10_000_000);

    const { waitMs, behindMs, processorMs, otherMs } = report.slowest;
    expect(waitMs).toBe(report.admissionToCashierMs.p999);
    // The kernel's count of waits and the clock are not read at the same instant.
    expect(Math.abs(behindMs + processorMs + otherMs - waitMs)).toBeLessThan(0.02 * waitMs + 1);
    expect(report.loop.delayMs).toBeGreaterThan(0);
  });

  it('prints progress and the report as text without --json', async () => {
    const { code, stdout, stderr } = await run('--requests', '300', '--connections', '4');
    expect(stderr).toBe('');
    expect(stdout).toContain('100 %  300 of 300 requests');
    expect(stdout).toMatch(/p99\.9 of admission to cashier: [\d.]+ ms = [\d.]+ behind earlier orders/);
    expect(stdout).toMatch(/event loop of the server: [\d.]+ ms late at p99\.9/);
    expect(stdout).toMatch(/ok +nothing oversold/);
    expect(stdout).toMatch(/ok +every admitted order resolved exactly once/);
    expect(stdout).toMatch(/ok +order of processing = order of admission/);
    expect(stdout).toMatch(/ok +stock\.audit\(\) passed/);
    expect(code).toBe(0);
  });

  it('stops in good order on SIGINT, reports what there was, and does not call it a success', async () => {
    example = new Example(['--requests', '5000000', '--json']);
    await example.printed(/[1-9]\d* admitted/);
    example.kill('SIGINT');
    const { code, stdout } = await example.finished;
    const report = JSON.parse(stdout);
    expect(report.problems.join()).toContain('the load was interrupted');
    expect(report.verdicts.resolvedExactlyOnce.holds).toBe(true);
    expect({ code, ok: report.ok }).toEqual({ code: 1, ok: false });
  });
});

describe('a sale with a crew of cashiers', { timeout: RUN_MS_MAX }, () => {
  it.each([
    ['its workers are killed', []],
    ['its workers are killed, and most orders go through a store', ['--overflow', 'store.db']],
  ])('loses no order and sells none twice, although %s', async (_, [option, file = '']) => {
    const more = option === undefined ? [] : [option, join(temporary(), file)];
    const { code, stdout } = await run('--requests', '5000', '--workers', '4', '--chaos', '--json', ...more);
    const report = JSON.parse(stdout);
    expect(report.problems).toEqual([]);
    for (const [name, { holds, detail }] of Object.entries<{ holds: boolean; detail: string }>(
      report.verdicts,
    )) {
      expect(holds, `${name}: ${detail}`).toBe(true);
    }
    expect({ code, ok: report.ok }).toEqual({ code: 0, ok: true });
    expect(report.verdicts.noneLostWithWorkers.detail).toMatch(/^4 workers, [1-9]\d* deaths, /);
    expect(report.verdicts.processedInOrder.detail).toMatch(/user by user$/);
    expect(report.admissionToHandledMs.count).toBe(report.requests.byOutcome.admitted);
    if (option === undefined) expect(report.queue.stored).toBeNull();
    else expect(report.queue.stored).toBeGreaterThan(100);
  });
});

describe('the command line', () => {
  it('explains itself with --help', async () => {
    const { code, stdout } = await run('--help');
    const options = ['--requests', '--users', '--connections', '--workers', '--chaos', '--json', '--serve'];
    for (const option of options) {
      expect(stdout).toContain(option);
    }
    expect(code).toBe(0);
  });

  it.each([
    [['--requests', 'many'], "--requests must be a whole number from 1 to 10000000, got 'many'"],
    [['--requests=-1'], '--requests must be'],
    [['--users', '0'], '--users must be'],
    [['--users', '1.5'], '--users must be'],
    [['--connections', '1'], '--connections must be'],
    [['--connections'], '--connections'],
    [['--connection', '5'], '--connection'],
    [['--workers', '65'], "--workers must be a whole number from 0 to 64, got '65'"],
    [['--chaos'], '--chaos needs --workers'],
    [['now'], 'now'],
  ])('refuses %j with exit code 2 and names the argument', async (args, message) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });
});

describe('--serve', { timeout: RUN_MS_MAX }, () => {
  async function serve(...args: string[]) {
    example = new Example(['--serve', ...args]);
    const [url] = await example.printed(/http:\/\/127\.0\.0\.1:\d+/);
    return {
      example,
      order: (body: unknown, path = '/orders', method = 'POST') =>
        fetch(url + path, {
          method,
          ...(method === 'POST' && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        }),
    };
  }

  it('answers strangers, and ends on SIGTERM with the report and exit code 0', async () => {
    const { example, order } = await serve('--json');
    const good = { id: 1, user: 7, sku: 1001, quantity: 1 };

    const admitted = await order(good);
    expect(admitted.status).toBe(202);
    const { reservation, duplicate } = (await admitted.json()) as Record<string, unknown>;
    expect({ reservation, duplicate }).toEqual({
      reservation: expect.stringMatching(/^\d+$/),
      duplicate: false,
    });

    const again = await order(good);
    expect(again.status).toBe(202);
    expect(await again.json()).toMatchObject({ outcome: 'admitted', reservation, duplicate: true });

    for (const [body, error] of [
      [{ ...good, quantity: 2 }, 'id-mismatch'],
      [{ ...good, id: 2, quantity: 3 }, 'user-limit'],
      [{ ...good, id: 3, quantity: 501 }, 'sold-out'],
      [{ ...good, id: 4, sku: 9 }, 'unknown-sku'],
    ]) {
      const refused = await order(body);
      expect({ status: refused.status, body: await refused.json() }).toEqual({
        status: 409,
        body: { error },
      });
    }

    for (const [body, field] of [
      ['{"id":', 'body'],
      ['[]', 'body'],
      [{ ...good, id: undefined }, 'id'],
      [{ ...good, user: '7' }, 'user'],
      [{ ...good, sku: null }, 'sku'],
      [{ ...good, quantity: -1 }, 'quantity'],
      [{ ...good, quantity: 1.5 }, 'quantity'],
      [{ ...good, quantity: 65_536 }, 'quantity'],
    ]) {
      const bad = await order(body);
      expect({ status: bad.status, body: await bad.json() }).toMatchObject({ status: 400, body: { field } });
    }

    expect((await order('x'.repeat(1_025))).status).toBe(413);
    expect((await order({}, '/')).status).toBe(404);
    const wrongMethod = await order(undefined, '/orders', 'GET');
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST']);

    example.kill('SIGTERM');
    const { code, signal, stdout } = await example.finished;
    const report = JSON.parse(stdout);
    expect(report.requests).toMatchObject({
      planned: null,
      answered: 17,
      byStatus: { 202: 2, 400: 8, 404: 1, 405: 1, 409: 4, 413: 1 },
      byOutcome: { admitted: 1, 'admitted before': 1 },
    });
    expect({ code, signal, ok: report.ok }).toEqual({ code: 0, signal: null, ok: true });
  });

  it('stays open after its own load when --requests is given, and shows how to order', async () => {
    const { example, order } = await serve('--requests', '100');
    await example.printed(/curl -i http/);
    expect((await order({ id: 1, user: 999_999, sku: 1003, quantity: 1 })).status).toBe(202);
    example.kill('SIGINT');
    const { code, stdout } = await example.finished;
    expect(stdout).toContain('101 of 100 requests answered');
    expect(code).toBe(0);
  });
});
