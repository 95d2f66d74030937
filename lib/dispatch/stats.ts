/** Figures of a crew. Counts are since its creation. */
export interface CrewStats {
  /** Its workers, by their index. */
  readonly workers: readonly WorkerStats[];
  /** Orders that the crew has taken and not finished: with workers, waiting for another attempt, or for their key. */
  readonly inHand: number;
  /** Of these, the orders that wait for another attempt, or to be offered to the dead letters again. */
  readonly delayed: number;
  /** Orders that were handled: their handler returned, or decided them. */
  readonly handled: number;
  /** How often an order failed: its handler threw or took too long, or its worker ended. */
  readonly failures: number;
  /** Orders that the dead letters have taken. */
  readonly deadLettered: number;
  /** How often the dead letters did not take an order. */
  readonly deadLetterFailures: number;
  /** How often a worker ended that should not have ended. */
  readonly deaths: number;
  /**
   * 'off': no `cpus` were given. 'on': the system can bind threads to processors. 'unsupported': it cannot, and the
   * workers run on any processor.
   */
  readonly pinning: 'off' | 'on' | 'unsupported';
}

/** Figures of one worker, and of the workers that it has replaced. */
export interface WorkerStats {
  /** 'starting'; 'up'; 'down': it ended, and the next one is not started yet; 'ended': with the crew. */
  readonly state: 'starting' | 'up' | 'down' | 'ended';
  /** Orders that it has now, in its queue and with its handler. */
  readonly inHand: number;
  /** Orders that its handler returned from. */
  readonly handled: number;
  /** How often it ended although it should not have ended. */
  readonly deaths: number;
  /** For how long the event loop of the worker was busy since it started, in milliseconds. */
  readonly busyMs: number;
  /** The processor that it is bound to; undefined if it is bound to none. */
  readonly cpu: number | undefined;
}
