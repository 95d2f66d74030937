import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { storeError } from './errors.js';

/** A thread that has a file open. */
interface Owner {
  readonly pid: number;
  /** Its number in the system; undefined where nothing says so: then the owner lives as long as the process. */
  readonly thread?: string;
  /** When it began, so that a later one with its number is not taken for it; '' where nothing says so. */
  readonly began: string;
  /** Names one opening. */
  readonly opening: string;
}

interface Facts {
  get(key: string): unknown;
  putSync(key: string, value: unknown): unknown;
  removeSync(key: string): unknown;
}

const opening = randomUUID();

/**
 * Makes this thread the owner of the file with these facts. To be called in a transaction, of which one runs at a time,
 * whatever the process. The owner may end in any way: an owner that has ended counts no more.
 */
export function takeFile(facts: Facts, path: string): void {
  const owner = facts.get('owner') as Owner | undefined;
  if (owner !== undefined && beganOf(owner) === owner.began) {
    const by = owner.pid === process.pid ? 'another queue of this process' : `process ${owner.pid}`;
    throw storeError('ERR_SLUICE_STORE_LOCKED', path, `${by} has it open`);
  }
  const self = { pid: process.pid, ...thisThread() };
  facts.putSync('owner', { ...self, began: beganOf(self), opening });
}

/** Ends the ownership. To be called in a transaction. */
export function leaveFile(facts: Facts): void {
  if ((facts.get('owner') as Owner | undefined)?.opening === opening) facts.removeSync('owner');
}

function thisThread(): Pick<Owner, 'thread'> {
  try {
    return { thread: /\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] as string };
  } catch {
    return {};
  }
}

/** Returns when the owner began; '' if it runs, but nothing says when; undefined if it has ended. */
function beganOf({ pid, thread }: Pick<Owner, 'pid' | 'thread'>): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  if (process.platform !== 'linux') return '';
  try {
    // The 22nd field is the time in ticks since the system's start; the system's start is part of the answer.
    const stat = readFileSync(`/proc/${pid}/task/${thread ?? pid}/stat`, 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`;
  } catch {
    return undefined; // it has ended meanwhile
  }
}
