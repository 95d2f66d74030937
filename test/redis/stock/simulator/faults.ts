import type { Fault } from '../../../support/mutated-sources.js';

/** The faults that the simulator of sales must find, each planted in a copy of dist/. */
export const faults: Record<string, Fault & { finds: string }> = {
  kRunAgain: {
    finds: 'a batch whose reply was lost is carried out again',
    sound: `status, results = 'dup', kept or '[]'`,
    faulty: `status, results = 'dup', carry_out(cjson.decode(batch))`,
    isScript: true,
  },
  kReturnTwice: {
    finds: 'units that a process gives back are put on sale twice',
    within: `lease[1] = lease[1] - back add(sku, 'leased', -back) add(sku, 'free', back)`,
    sound: `add(sku, 'free', back)`,
    faulty: `add(sku, 'free', back + back)`,
    isScript: true,
  },
  kForgetJournal: {
    finds: 'what a server has lost is not said again',
    sound: '{ number, operations, at: now }',
    faulty: '{ number, operations: [], at: now }',
  },
  kKeepUserCount: {
    finds: 'units that a user gives back still count for the user',
    sound: `if left > 0 then has.put(sku .. '|' .. user, left > n and text_of(left - n)) end`,
    faulty: '',
    isScript: true,
  },
  kIgnoreEarlier: {
    finds: 'the limit of a user counts the new units alone',
    sound: 'had + n > one.limit',
    faulty: 'n > one.limit',
    isScript: true,
  },
  kLoseExpired: {
    finds: 'the units of a hold that is over are not on sale again',
    within: `end add(sku, 'free', n) end moved(state, sku, n, reservation, user)`,
    sound: `add(sku, 'free', n)`,
    faulty: `if state ~= 'expired' then add(sku, 'free', n) end`,
    isScript: true,
  },
  kShorterHold: {
    finds: 'an extension can shorten a hold',
    sound: 'if now + op[3] > hold[2] then',
    faulty: 'if true then',
    isScript: true,
  },
  kForgetId: {
    finds: 'an id that was reserved is new again',
    sound: `id_of.put(id, digest .. ' ' .. reservation)`,
    faulty: '',
    isScript: true,
  },
  kIgnoreBody: {
    finds: 'another request with the same id gets the answer of the first',
    sound: `if its ~= digest then return { 'mismatch' } end`,
    faulty: '',
    isScript: true,
  },
};
