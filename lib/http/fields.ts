import { bare, copiedList, optionError } from '../input/index.js';
import { type Present, parsedList, quotaItem, stringItem } from './present.js';

/**
 * A form of the header fields that report a limit to clients.
 *
 * - 'draft-10': `RateLimit` and `RateLimit-Policy` as lists of named items, of draft-ietf-httpapi-ratelimit-headers-10
 *   (September 2025) and -11 (May 2026, the newest).
 * - 'draft-8': the same fields as 'draft-10', by the name under which versions -08 and -09 (and express-rate-limit)
 *   have them.
 * - 'draft-7': `RateLimit: limit=100, remaining=99, reset=1` and `RateLimit-Policy: 100;w=1`.
 * - 'draft-6': `RateLimit-Limit`, `RateLimit-Remaining`, `RateLimit-Reset`, and `RateLimit-Policy` as in 'draft-7'.
 * - 'legacy': `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, the last in seconds since 1970.
 */
export type HeadersForm = 'draft-10' | 'draft-8' | 'draft-7' | 'draft-6' | 'legacy';

/** One tier of a limiter, as clients see it. */
export interface Quota {
  /** The tier's name, unique within its limiter: printable ASCII without quotes and backslashes. */
  readonly tier: string;
  /** Units that the tier allows in its window, or at one time: at least 0. */
  readonly quota: number;
  /** The window in seconds, rounded up, at least 1; undefined if units do not come back with time. */
  readonly windowSeconds?: number | undefined;
  /** The kind of unit, from the draft's registry. Undefined: a request. */
  readonly unit?: 'content-bytes' | 'concurrent-requests' | undefined;
  /** Units left. Undefined: unknown; such a tier appears in RateLimit-Policy only. */
  readonly remaining?: number | undefined;
  /** Seconds until more units are left, rounded up; undefined if that does not depend on time. */
  readonly resetSeconds?: number | undefined;
  /** Milliseconds until more units are left; undefined if that does not depend on time. */
  readonly resetMs?: number | undefined;
  /** Whether this tier refused the request. */
  readonly refused?: boolean | undefined;
}

/** A limiter's tiers, as clients see them. */
export interface Told {
  /** The limiter's name. Without one, its items have the names of its tiers. */
  readonly name?: string | undefined;
  readonly quotas: readonly Quota[];
  /**
   * The names of its items, made unique among the limiters that decided about the request. Default: made from `name`
   * and the tiers.
   */
  readonly names?: readonly string[];
  /** The partition key in base64. */
  readonly partition?: string | undefined;
}

const nameLengthMax = 64;
/** The characters that a String of structured fields (RFC 9651) can contain without an escape. */
const plainText = /^[ !#-[\]-~]+$/;
/** The largest integer of a structured field: RFC 9651. */
const integerMax = 999_999_999_999_999;

/**
 * Returns the option `name` of a middleware.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming `name`.
 */
export function nameOption(where: string, name: unknown): string | undefined {
  if (name === undefined) return undefined;
  const expected = `1 to ${nameLengthMax} printable ASCII characters without quotes and backslashes`;
  if (typeof name !== 'string') throw optionError(`${where}: name`, expected, name, true);
  if (name.length > nameLengthMax || !plainText.test(name)) {
    throw optionError(`${where}: name`, expected, name, false);
  }
  return name;
}

/**
 * The forms whose lists have named items, and the forms whose policies are numbers. Both kinds write RateLimit-Policy,
 * each with its own syntax, so headersOption() refuses a form of one kind together with a form of the other. It also
 * refuses both forms with named items together.
 */
const named: readonly HeadersForm[] = ['draft-10', 'draft-8'];
const numbered: readonly HeadersForm[] = ['draft-7', 'draft-6'];
const forms: readonly HeadersForm[] = [...named, ...numbered, 'legacy'];

/**
 * Returns the forms to write, by the options `headers` and `legacyHeaders` of a middleware.
 * @throws TypeError, RangeError (`ERR_SLUICE_OPTION`) naming `headers`: it is neither a form nor a list of forms, or
 *   its forms write one field with two syntaxes.
 */
export function headersOption(where: string, headers: unknown, legacyHeaders: boolean): HeadersForm[] {
  const name = `${where}: headers`;
  const chosen = new Set(Array.isArray(headers) ? listedForms(name, headers) : oneForm(name, headers));
  const ofNames = named.filter((form) => chosen.has(form));
  const ofNumbers = numbered.filter((form) => chosen.has(form));
  if (ofNames.length + Math.min(ofNumbers.length, 1) > 1) {
    const field = chosen.has('draft-7') || ofNames.length > 1 ? 'RateLimit' : 'RateLimit-Policy';
    const together = [...ofNames, ...ofNumbers].join(' with ');
    throw optionError(name, `no two forms that write ${field} differently`, together, false);
  }
  if (legacyHeaders) chosen.add('legacy');
  return [...chosen];
}

function oneForm(name: string, form: unknown): HeadersForm[] {
  if (form === undefined || form === true) return ['draft-10'];
  if (form === false) return [];
  return [checkedForm(name, `true, false, ${forms.join(', ')} or a list of forms`, form)];
}

function listedForms(name: string, headers: unknown[]): HeadersForm[] {
  const list = copiedList(headers, 1, forms.length);
  if (list === undefined) throw optionError(name, `a list of 1 to ${forms.length} forms`, headers, false);
  return list.map((form) => checkedForm(`${name}: a form`, forms.join(', '), form));
}

function checkedForm(name: string, expected: string, form: unknown): HeadersForm {
  const found = forms.find((one) => one === form);
  if (found === undefined) throw optionError(name, expected, form, typeof form !== 'string');
  return found;
}

/**
 * Returns the header fields that report a limiter, in all forms of `chosen`. They replace the fields of the same name,
 * whose values `present` returns. A list keeps the items that it has. A form with room for one quota reports the one
 * that refused, or otherwise the one with the least share left; the quota that the response already reports is a
 * candidate, too.
 */
export function limitFields(
  chosen: readonly HeadersForm[],
  told: Told,
  present: Present,
  now: number = Date.now(),
): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const form of chosen) {
    if (named.includes(form)) Object.assign(fields, namedFields(told, present));
    else Object.assign(fields, numberedFields(form, told.quotas, present, now));
  }
  return fields;
}

/**
 * Returns the names of a limiter's items, in the order of its quotas: the limiter's name, with the tier's if there are
 * several tiers; without a name, the tiers' names. If one of these names is taken on this response, the same number (2
 * or more) is appended to all of them.
 */
function policyNames(told: Told, present: Present): string[] {
  const taken = new Set<string>();
  for (const field of ['RateLimit-Policy', 'RateLimit']) {
    for (const { value } of parsedList(present(field), stringItem) ?? []) taken.add(value);
  }
  return freeNames(told, taken);
}

/** Returns the names of the items whose quotas refused. */
export function refusingNames(told: Told, present: Present): string[] {
  return policyNames(told, present).filter((_, i) => told.quotas[i]?.refused === true);
}

/** As `policyNames`, with names that are not in `taken`. */
export function freeNames(told: Told, taken: ReadonlySet<string>): string[] {
  const { name, names: given, quotas } = bare(told);
  const bases = quotas.map(({ tier }, i) => {
    if (given !== undefined) return given[i] as string;
    if (name === undefined) return tier;
    return quotas.length === 1 ? name : `${name}-${tier}`;
  });
  for (let number = 1; ; number++) {
    const names = number === 1 ? bases : bases.map((base) => `${base}-${number}`);
    if (!names.some((one) => taken.has(one))) return names;
  }
}

/**
 * Returns the fields of draft-8 to draft-11, lists whose items are Strings:
 * https://www.ietf.org/archive/id/draft-ietf-httpapi-ratelimit-headers-11.html
 */
function namedFields(told: Told, present: Present): Record<string, string> {
  const names = policyNames(told, present);
  const key = told.partition === undefined ? '' : `;pk=:${told.partition}:`;
  const policies: string[] = [];
  const limits: string[] = [];
  for (const [i, quota] of told.quotas.entries()) {
    const unit = quota.unit === undefined ? '' : `;qu="${quota.unit}"`;
    const window = quota.windowSeconds === undefined ? '' : `;w=${positive(quota.windowSeconds)}`;
    policies.push(`"${names[i]}";q=${integer(quota.quota)}${unit}${window}${key}`);
    if (quota.remaining === undefined) continue;
    const reset = quota.resetSeconds === undefined ? '' : `;t=${integer(quota.resetSeconds)}`;
    limits.push(`"${names[i]}";r=${whole(quota.remaining)}${reset}${key}`);
  }
  return {
    ...withItems('RateLimit-Policy', policies, present),
    ...withItems('RateLimit', limits, present),
  };
}

function withItems(field: string, items: readonly string[], present: Present): Record<string, string> {
  if (items.length === 0) return {};
  const earlier = parsedList(present(field), stringItem) ?? []; // [] if the field has another form: then it is replaced
  return { [field]: [...earlier.map(({ text }) => text), ...items].join(', ') };
}

/**
 * Returns the fields of draft-6, draft-7 or X-RateLimit. They have room for one quota: the "expiring limit" of the
 * drafts.
 */
function numberedFields(
  form: HeadersForm,
  quotas: readonly Quota[],
  present: Present,
  now: number,
): Record<string, string> {
  const policies = form === 'legacy' ? {} : policiesByQuota(quotas, present);
  const quota = expiring(quotas);
  if (quota === undefined || standsBefore(form, quota, present)) return policies;
  const limit = integer(quota.quota);
  const remaining = whole(quota.remaining ?? 0);
  const reset = integer(quota.resetSeconds ?? quota.windowSeconds ?? 1);
  if (form === 'draft-7') {
    return { ...policies, RateLimit: `limit=${limit}, remaining=${remaining}, reset=${reset}` };
  }
  const prefix = form === 'legacy' ? 'X-RateLimit' : 'RateLimit';
  return {
    ...policies,
    [`${prefix}-Limit`]: String(limit),
    [`${prefix}-Remaining`]: String(remaining),
    [`${prefix}-Reset`]: String(form === 'legacy' ? Math.ceil(now / 1_000) + reset : reset),
  };
}

/**
 * Returns RateLimit-Policy of draft-6 and draft-7: `100;w=60`. A policy needs a window, and no two may have the same
 * quota: of two, the one with the longer window is kept.
 */
function policiesByQuota(quotas: readonly Quota[], present: Present): Record<string, string> {
  const field = 'RateLimit-Policy';
  const byQuota = new Map<number, { readonly window: number; readonly text: string }>();
  const add = (quota: number, window: number, text: string): void => {
    if ((byQuota.get(quota)?.window ?? 0) < window) byQuota.set(quota, { window, text });
  };
  for (const { value, text } of parsedList(present(field), quotaItem) ?? []) {
    add(Number(value), Number(/; *w=(\d+)/.exec(text)?.[1] ?? 1), text);
  }
  for (const { quota, windowSeconds } of quotas) {
    if (windowSeconds === undefined) continue;
    const window = positive(windowSeconds);
    add(integer(quota), window, `${integer(quota)};w=${window}`);
  }
  return byQuota.size === 0 ? {} : { [field]: [...byQuota.values()].map(({ text }) => text).join(', ') };
}

/** Returns the quota that refused, or otherwise the one with the least share left; of equal shares, the first. */
function expiring(quotas: readonly Quota[]): Quota | undefined {
  let found: Quota | undefined;
  for (const quota of quotas) {
    if (quota.refused === true) return quota;
    if (quota.remaining === undefined) continue;
    if (found === undefined || shareLeft(quota) < shareLeft(found)) found = quota;
  }
  return found;
}

/**
 * Whether the response keeps the quota that it reports already: its limiter refused (Retry-After is set), or it has no
 * greater share left than `quota`.
 */
function standsBefore(form: HeadersForm, quota: Quota, present: Present): boolean {
  if (quota.refused === true) return false;
  const earlier = toldBefore(form, present);
  if (earlier === undefined) return false;
  return present('Retry-After') !== undefined || shareLeft(earlier) <= shareLeft(quota);
}

/** Returns the quota that the response reports already, in a form with room for one. */
function toldBefore(form: HeadersForm, present: Present): Pick<Quota, 'quota' | 'remaining'> | undefined {
  const prefix = form === 'legacy' ? 'X-RateLimit' : 'RateLimit';
  const text =
    form === 'draft-7'
      ? present('RateLimit')
      : `limit=${present(`${prefix}-Limit`)}, remaining=${present(`${prefix}-Remaining`)}, reset=0`;
  const figures = /^limit=(\d{1,15}), *remaining=(\d{1,15}), *reset=\d{1,15}$/.exec(text ?? '');
  return figures === null ? undefined : { quota: Number(figures[1]), remaining: Number(figures[2]) };
}

function shareLeft({ quota, remaining = 0 }: Pick<Quota, 'quota' | 'remaining'>): number {
  return quota <= 0 ? 0 : remaining / quota;
}

/** Rounds a figure up and limits it to the integers of structured fields. */
function integer(figure: number): number {
  return Math.min(integerMax, Math.max(0, Math.ceil(figure)));
}

/** Rounds the units left down, because a part of a unit allows nothing. */
function whole(remaining: number): number {
  return integer(Math.floor(remaining));
}

function positive(figure: number): number {
  return Math.max(1, integer(figure));
}
