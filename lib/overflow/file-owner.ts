import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { storeError } from './errors.js';

/** A process that has a file open. */
interface Owner {
  readonly pid: number;
  /** When the process began, so that a later process with its pid is not taken for it; '' where nothing says so. */
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
 * whatever the process. The owner's process may end in any way: an owner that has ended counts no more.
 */
export function takeFile(facts: Facts, path: string): void {
  const owner = facts.get('owner') as Owner | undefined;
  if (owner !== undefined && beganOf(owner.pid) === owner.began) {
    const by = owner.pid === process.pid ? 'another queue of this process' : `process ${owner.pid}`;
    throw storeError('ERR_SLUICE_STORE_LOCKED', path, `${by} has it open`);
  }
  facts.putSync('owner', { pid: process.pid, began: beganOf(process.pid), opening });
}

/** Ends the ownership. To be called in a transaction. */
export function leaveFile(facts: Facts): void {
  if ((facts.get('owner') as Owner | undefined)?.opening === opening) facts.removeSync('owner');
}

/** Returns when the process began; '' if it runs, but nothing says when; undefined if there is none. */
function beganOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  if (process.platform !== 'linux') return '';
  try {
    // The 22nd field is the time in ticks since the system's start; the system's start is part of the answer.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${ticks}`;
  } catch {
    return undefined; // it has ended meanwhile
  }
}
