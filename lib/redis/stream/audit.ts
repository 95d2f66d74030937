import { type Keys, list, mapOf, type RedisPort, text } from '../client/index.js';
import { doneWithin, pageOfOrders } from './audit-script.js';

/** A setting of the server that can lose orders, or store them twice. */
export interface ServerWarning {
  /** Its name in the server's configuration. */
  readonly setting: string;
  /** Its value. */
  readonly value: string;
  /** What can happen, and what to set. */
  readonly why: string;
}

/** What `RedisQueue.audit` found. */
export interface AuditReport {
  /** How many entries it has read. */
  readonly entries: number;
  /** Whether there are more. */
  readonly isPartial: boolean;
  /** Entries that are no orders of this schema. A worker moves them to the dead letters. */
  readonly foreign: number;
  /** The ids of orders (at most 100) that have more than one entry: each entry is handled. */
  readonly twice: readonly string[];
  /**
   * The ids of orders (at most 100) that the server does not remember although their time is not over, or remembers by
   * another entry: a push of such an order again stores it again. Orders of a gate are not looked at: their ids are
   * remembered with the stock.
   */
  readonly unremembered: readonly string[];
  /** Entries that no worker will get: the only group has read them, none waits for them, and they were not deleted. */
  readonly orphans: number;
  /** Settings of the server (in a cluster, of one of the servers) that do not suit orders. */
  readonly warnings: readonly ServerWarning[];
}

const pageSize = 500;
const shownMax = 100;

const safe: readonly (readonly [setting: string, isSafe: (value: string) => boolean, why: string])[] = [
  [
    'appendonly',
    (value) => value === 'yes',
    'no: what the server stored is lost when it ends; set appendonly yes',
  ],
  [
    'appendfsync',
    (value) => value === 'always',
    'a loss of power loses the orders of about a second; set always, or accept that',
  ],
  [
    'aof-load-truncated',
    (value) => value === 'no',
    'after a torn write the server keeps half of a script in its file, and applies that half when it starts the second time; set no, and run redis-check-aof --fix before such a start',
  ],
  [
    'maxmemory-policy',
    (value) => value === 'noeviction',
    'the server may delete orders, and the ids it remembers, to make room; set noeviction',
  ],
];

/** What is said of a server that has replicas, and does not wait for any. */
const ofReplicas = {
  setting: 'min-replicas-to-write',
  value: '0',
  why: 'a failover loses the orders that no replica has yet; set 1, and min-replicas-max-lag 1, or push again what was pushed shortly before a failover',
} as const;

/** Reads the stream page by page, and compares its entries with what is remembered of their ids. */
export async function auditStream(
  port: RedisPort,
  keys: Keys,
  schema: string,
  rememberMs: number,
  maxEntries: number,
): Promise<AuditReport> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  const unremembered = new Set<string>();
  let [entries, foreign, orphans, from, isPartial] = [0, 0, 0, '-', true];
  while (entries < maxEntries) {
    const count = Math.min(pageSize, maxEntries - entries);
    const [now, page] = list(await pageOfOrders.run(port, [keys.stream], [from, count, schema]));
    const rows = list(page).map((row) => list(row));
    const ours = rows
      .filter(([, id]) => id !== null && id !== undefined && id !== false)
      .map(([entry, id, ofGate]) => ({ entry: text(entry), id: text(id), isOfGate: text(ofGate) === '1' }));
    entries += rows.length;
    foreign += rows.length - ours.length;
    const remembered = await Promise.all(
      ours.map(({ id, isOfGate }) => (isOfGate ? undefined : port.send(['GET', keys.id(id)]))),
    );
    for (const [i, { entry, id, isOfGate }] of ours.entries()) {
      const known = remembered[i];
      if (seen.has(id)) add(twice, id);
      seen.add(id);
      const isYoung = Number(entry.split('-')[0]) > Number(now) - rememberMs;
      const isRemembered = isOfGate || (typeof known === 'string' && known.startsWith(`${entry} `));
      if (isYoung && !isRemembered) add(unremembered, id);
    }
    const last = rows.at(-1)?.[0];
    if (last !== undefined) {
      const [groups, done] = list(
        await doneWithin.run(port, [keys.stream], [text(rows[0]?.[0]), text(last)]),
      );
      if (Number(groups) === 1) orphans += Number(done);
      from = `(${text(last)}`;
    }
    if (rows.length < count) {
      isPartial = false;
      break;
    }
  }
  const warnings = await warningsOf(port);
  return {
    entries,
    isPartial,
    foreign,
    twice: [...twice],
    unremembered: [...unremembered],
    orphans,
    warnings,
  };
}

function add(ids: Set<string>, id: string): void {
  if (ids.size < shownMax) ids.add(id);
}

async function warningsOf(port: RedisPort): Promise<ServerWarning[]> {
  const warnings: ServerWarning[] = [];
  for (const [setting, isSafe, why] of safe) {
    const value = await settingOf(port, setting);
    if (value === undefined || !isSafe(value)) warnings.push({ setting, value: value ?? 'unknown', why });
  }
  const asked = await settingOf(port, ofReplicas.setting);
  if (asked === ofReplicas.value && (await hasReplicas(port))) warnings.push(ofReplicas);
  return warnings;
}

/** Whether replicas follow the server; false if the server does not let this user see it. */
async function hasReplicas(port: RedisPort): Promise<boolean> {
  try {
    const connected = /connected_slaves:(\d+)/.exec(text(await port.send(['INFO', 'replication'])));
    return Number(connected?.[1] ?? 0) > 0;
  } catch {
    return false;
  }
}

/** Returns the value of a setting; undefined if the server does not let this user see it. */
async function settingOf(port: RedisPort, setting: string): Promise<string | undefined> {
  try {
    const value = mapOf(await port.send(['CONFIG', 'GET', setting])).get(setting);
    return value === undefined ? undefined : text(value);
  } catch {
    return undefined;
  }
}
