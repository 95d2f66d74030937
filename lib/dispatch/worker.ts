/** What a worker thread of a crew runs: it consumes its queue, and reports what becomes of each order. */
import { setImmediate } from 'node:timers';
import { parentPort, workerData } from 'node:worker_threads';
import { Hold, handled, type Resolve } from '../gate/index.js';
import { optionError, type SluiceError } from '../input/index.js';
import { type Call, insideQueue, Queue, type QueueHandle } from '../queue/index.js';
import { describedRecord, type RecordDescription } from '../record/index.js';
import { Stock, type StockHandle } from '../stock/index.js';
import { pinThisThread } from './affinity.js';
import {
  type Envelope,
  type EnvelopeNames,
  envelopeRecord,
  errorTexts,
  noError,
  type Report,
  reportRecord,
} from './envelope.js';

/** The `workerData` of a worker. */
export interface WorkerInput {
  readonly seat: number;
  readonly queue: QueueHandle;
  readonly reports: QueueHandle;
  readonly stock: StockHandle | undefined;
  readonly order: RecordDescription;
  readonly names: EnvelopeNames;
  readonly handler: string;
  readonly concurrency: number;
  readonly handlerTimeoutMs: number | undefined;
  readonly cpu: number | undefined;
  /** Whether the worker fails if it cannot be bound to `cpu`, although the system can bind threads. */
  readonly mustPin: boolean;
  readonly data: unknown;
}

/** What a worker posts. */
export type WorkerMessage =
  | { readonly sluice: 'up'; readonly pinned: boolean | undefined }
  | { readonly sluice: 'done' };

interface HandlerModule {
  readonly default: (order: Envelope, hold: Hold) => unknown;
  readonly setup?: (data: unknown) => unknown;
  readonly teardown?: () => unknown;
}

/** An order that the worker has taken. */
interface Attempt {
  readonly ticket: number;
  readonly order: Envelope;
  readonly hold: Hold;
  /** 'running': its handler runs. 'returned': and the order is about to be confirmed. 'over': it was reported. */
  state: 'running' | 'returned' | 'over';
}

/** Takes orders from the queue between the crew and this worker, and hands them to the handler. */
class Attempts {
  readonly #input: WorkerInput;
  readonly #handler: HandlerModule['default'];
  readonly #reports: Queue<Report>;
  readonly #stock: Stock | undefined;
  /** The names of the order's own fields. */
  readonly #fields: readonly string[];

  constructor(input: WorkerInput, handler: HandlerModule['default']) {
    this.#input = input;
    this.#handler = handler;
    this.#reports = Queue.attach(reportRecord, input.reports);
    this.#stock = input.stock && Stock.attach(input.stock);
    this.#fields = input.order.map(({ name }) => name);
  }

  async all(queue: Queue<Envelope>): Promise<void> {
    const { consumer } = insideQueue(queue);
    const { concurrency, handlerTimeoutMs } = this.#input;
    const by = {
      owner: this,
      // One at a time: an order in the queue is one that no handler was given, which the crew relies on.
      take: () => consumer.popMany(1).map((envelope) => this.#attempt(envelope)),
      handle: (attempt: Attempt, call: Call) => this.#handle(attempt, call),
      between: () => {},
      timedOut: (attempt: Attempt, error: SluiceError) => this.#failed(attempt, error),
      leaving: () => {},
    };
    await consumer.consumeBy(by, { concurrency, handlerTimeoutMs, graceMs: Infinity }, undefined);
  }

  #attempt(envelope: Envelope): Attempt {
    const { names } = this.#input;
    const ticket = envelope[names.ticket] as number;
    const deliveries = envelope[names.deliveries] as number;
    const reservation = envelope[names.reservation] as bigint;
    const order: Envelope = {};
    for (const name of this.#fields) order[name] = envelope[name];
    const held = reservation === 0n ? undefined : reservation;
    const attempt: Attempt = {
      ticket,
      order,
      hold: new Hold(
        held,
        deliveries,
        ticket,
        this.#resolver((confirmed) => this.#decided(attempt, confirmed)),
      ),
      state: 'running',
    };
    return attempt;
  }

  async #handle(attempt: Attempt, call: Call): Promise<void> {
    const { order, hold } = attempt;
    hold.begin(call);
    try {
      await handled(this.#handler, order, hold, 'dispatch');
    } catch (error) {
      this.#failed(attempt, error);
      return;
    }
    if (attempt.state === 'over') return; // its time was over
    attempt.state = 'returned';
    const resolution = hold.decided ? '' : hold.confirm();
    this.#over(attempt, { event: 'returned', resolution });
  }

  #failed(attempt: Attempt, error: unknown): void {
    if (attempt.state === 'over') return;
    if (!attempt.hold.decided) attempt.hold.expire();
    this.#over(attempt, { event: 'failed', ...errorTexts(error) });
  }

  #decided(attempt: Attempt, confirmed: boolean): void {
    if (attempt.state === 'running') this.#report(attempt, { event: 'decided', confirmed });
  }

  #over(attempt: Attempt, report: Partial<Report> & Pick<Report, 'event'>): void {
    attempt.state = 'over';
    this.#report(attempt, report);
  }

  #report({ ticket }: Attempt, report: Partial<Report> & Pick<Report, 'event'>): void {
    const { seat } = this.#input;
    const all: Report = { seat, ticket, confirmed: false, resolution: '', ...noError, ...report };
    // The queue has room for two reports of each order that the workers can have.
    if (!this.#reports.tryPush(all))
      throw new Error('dispatch: broken invariant: the queue of reports is full');
  }

  /** Makes the function by which a hold decides. It calls `decided` the first time. */
  #resolver(decided: (confirmed: boolean) => void): Resolve {
    let earlier: 'already-confirmed' | 'already-cancelled' | undefined;
    return (confirm, _entry, reservation, quantity) => {
      const isFirst = earlier === undefined;
      const resolution =
        this.#stock !== undefined && reservation !== undefined
          ? resolved(this.#stock, confirm, reservation, quantity)
          : (earlier ?? (confirm ? 'confirmed' : 'cancelled'));
      earlier ??= confirm ? 'already-confirmed' : 'already-cancelled';
      if (isFirst) decided(confirm);
      return resolution;
    };
  }
}

function resolved(
  stock: Stock,
  confirm: boolean,
  reservation: bigint,
  quantity: number,
): ReturnType<Resolve> {
  if (!confirm) return stock.cancel(reservation);
  return quantity === 0 ? stock.confirm(reservation) : stock.confirm(reservation, { quantity });
}

async function run(input: WorkerInput): Promise<void> {
  const { cpu, mustPin, data } = input;
  const pinned = cpu === undefined ? undefined : pinThisThread(cpu);
  if (pinned === false && mustPin) {
    throw optionError('dispatch: cpus', 'processors that this process may run on', cpu, false);
  }
  const module = (await import(input.handler)) as HandlerModule;
  if (typeof module.default !== 'function') {
    const expected = 'a module whose default export is a function';
    throw optionError('dispatch: handler', expected, module.default, true);
  }
  await module.setup?.(data);
  const queue = Queue.attach(envelopeRecord(describedRecord(input.order), input.names), input.queue);
  const attempts = new Attempts(input, module.default);
  parentPort?.ref(); // so that the thread lives on while nothing but promises is pending
  tell({ sluice: 'up', pinned });
  await attempts.all(queue);
  await module.teardown?.();
  tell({ sluice: 'done' });
}

function tell(message: WorkerMessage): void {
  parentPort?.postMessage(message);
}

run(workerData as WorkerInput).catch((error: unknown) => {
  setImmediate(() => {
    throw error; // the error of the thread, whatever the program does with unhandled rejections
  });
});
