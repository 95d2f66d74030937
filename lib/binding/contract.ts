/** Everything that TypeScript and C++ share. Printed by `npm run contract` from native/contract: do not edit. */

/** The hash of the text below. The addon contains a hash, too: see addon.ts. */
export const contractHash = '55cbaba226f2ff46';

/** Answers of native functions in place of a count. */
export const answers = {
  disposed: -100,
  badArgument: -101,
  noResources: -102,
  closed: -1,
  notConsumer: -2,
  none: 1,
  elsewhere: -3,
  lineFull: -4,
  unknownSku: -1,
  unknownGroup: -2,
} as const;

/** Reasons why a native function did not create or attach an object. */
export type Reason =
  | 'dead-handle'
  | 'no-memory'
  | 'too-many-threads'
  | 'disposed'
  | 'queue-gated'
  | 'clocks-differ'
  | 'no-cell'
  | 'bad-staging'
  | 'bad-range'
  | 'bad-schema'
  | 'bad-layout'
  | 'misaligned'
  | 'too-small'
  | 'bad-magic'
  | 'bad-version'
  | 'bad-kind'
  | 'no-snapshot'
  | 'snapshot-version'
  | 'snapshot-damaged'
  | 'maxItems'
  | 'maxReservations'
  | 'maxUsers'
  | 'maxIds';

/** How a queue treats a record that finds no room. */
export const overflows = {
  reject: 0,
  'drop-oldest': 1,
  caller: 2,
  overwrite: 3,
} as const;

/** Reasons why a record left the queue without being consumed. */
export const dropReasons = {
  expired: 0,
  oldest: 1,
  shed: 2,
} as const;

/** States of a wait for room. */
export const waiterStates = {
  free: 0,
  waiting: 1,
  served: 2,
  ended: 3,
} as const;

/** The next step of a consumer that found no record. */
export const parks = {
  ready: 0,
  parked: 1,
  ended: 2,
} as const;

/** How many lower bits of the word of a position are 0. */
export const ringPositionBits = 16;

/** The answer of next() when it shows one record that has already left the queue. */
export const shownAndGone = 65;

/** Answers of the WebAssembly face of a queue. `thenRing` and `thenTell` are added to another one. */
export const faceAnswers = {
  done: 0,
  showElsewhere: 66,
  thenRing: 128,
  thenTell: 128,
  mayWait: -1,
} as const;

/** How many buckets of equal width a histogram has below this number, and for each power of two from it on. */
export const bucketsPerPower = 32;

/** The tiers that can refuse a request. */
export const tiers = {
  'token-bucket': 1,
  'sliding-window': 2,
  'queue-depth': 3,
  blocked: 4,
  adaptive: 5,
  'waiting-line': 6,
} as const;

/** Added to the tier of a refusal; `window` is first multiplied by the index of the window that refused. */
export const refusalBits = {
  oversized: 8,
  window: 16,
  dryRun: 64,
} as const;

/** The answer of acquire() if the request waits: this plus the number of its waiter. */
export const waits = 128;

/** Outcomes for a waiter. told() returns one of them, plus `toldUnit` times the number of the waiter. */
export const told = {
  nothing: 0,
  served: 1,
  expired: 2,
  front: 3,
} as const;

/** The factor of the number of the waiter in answers of told(): see `told`. */
export const toldUnit = 4;

/** The answer of told() if the charge of a served waiter had to be given back: this minus its number. */
export const forgotten = -1000;

/** Periods of a calendar window. A sliding window has 0 in place of one. */
export const periods = {
  day: 1,
  week: 2,
  month: 3,
  year: 4,
} as const;

/** Answers to a request to the stock. */
export const reserveResults = {
  reserved: 0,
  duplicate: 1,
  'sold-out': 2,
  'user-limit': 3,
  'unknown-sku': 4,
  'ledger-full': 5,
  'users-full': 6,
  'ids-full': 7,
  'id-mismatch': 8,
  'already-failed': 9,
  'in-progress': 10,
  'item-closed': 11,
  'needs-user': 12,
  'admitted-by-gate': 14,
  'reserved-directly': 15,
  'sale-over': 16,
} as const;

/** Answers to a call that ends, changes or returns a reservation. */
export const resolveResults = {
  done: 0,
  'already-confirmed': 1,
  'already-cancelled': 2,
  expired: 3,
  unknown: 4,
  'bad-quantity': 5,
  'bad-line': 6,
  'not-bought': 7,
  'already-returned': 8,
  'needs-user': 9,
  'nothing-left': 11,
} as const;

/** This plus a reserve result is a refusal, where other answers are a resolve result. */
export const refusals = 64;

/** Phases of a reservation. */
export const phases = {
  unknown: 0,
  held: 1,
  confirmed: 2,
  cancelled: 3,
  expired: 4,
} as const;

/** Answers to addItem(). */
export const itemsAdded = {
  added: 0,
  'sku-exists': 1,
  'items-full': 2,
  'group-full': 3,
} as const;

/** Answers to addGroup(). */
export const groupsAdded = {
  added: 0,
  'group-exists': 1,
  'groups-full': 2,
} as const;

/** Answers to a call that sets a total or a backorder cap. */
export const levelsSet = {
  done: 0,
  'units-taken': 1,
  'too-many': 2,
} as const;

/** Kinds of movements. */
export const movementKinds = {
  added: 1,
  restocked: 2,
  withdrawn: 3,
  closed: 4,
  reserved: 5,
  confirmed: 6,
  cancelled: 7,
  expired: 8,
  returned: 9,
  reopened: 10,
  reversed: 11,
} as const;

/** Bits of the argument of changeItem(). `clamp`: too low a backorder cap becomes the lowest possible one. */
export const itemChanges = {
  perUser: 1,
  backorder: 2,
  clamp: 4,
  sellFor: 8,
} as const;

/** The argument of findReservation(): by which number it finds a reservation. */
export const finds = {
  reservation: 0,
  id: 1,
} as const;

/** Types of the fields that a gate reads from a record. */
export const fieldTypes = {
  u8: 1,
  u16: 2,
  u32: 3,
  u53: 4,
  u64: 5,
  utf8: 6,
} as const;

/** Answers of admit() that are neither `admitted` nor reserve results. */
export const outcomes = {
  duplicate: 1,
  'queue-full': 33,
  closed: 34,
  'bad-quantity': 35,
  requeued: 36,
  confirmed: 37,
  cancelled: 38,
  expired: 39,
  unknown: 40,
  'bad-sku': 41,
  'bad-user': 42,
  'bad-id': 43,
} as const;

/** The answer of admit() for an order that is newly admitted. */
export const admitted = 0;

/** The answer of admit() if the limiter refused: this plus the answer of the limiter. */
export const limited = 64;

/** In place of the entry of an order that is not in hand. */
export const noEntry = 4294967295;

/** Offsets in the buffer `words` of a queue, in bytes. */
export const queueStaging = {
  ttlNs: 0,
  dropped: 8,
  shownAt: 16,
  reasons: 24,
  reasonBytes: 8,
  figures: 536,
  bytes: 728,
} as const;

/** Offsets in the buffer that waits() fills, in bytes. */
export const waitsStaging = {
  sum: 0,
  buckets: 8,
  bytes: 15368,
} as const;

/** Offsets in the buffer of a batch, in bytes. */
export const batchStaging = {
  count: 0,
  permits: 4,
  records: 8,
} as const;

/** Offsets in the buffer of a limiter, in bytes. */
export const limiterStaging = {
  answer: 56,
  retryAfterMs: 0,
  remaining: 8,
  tier: 16,
  patienceMs: 24,
  tightest: 32,
  nowMs: 40,
  leftMs: 48,
  rooms: 64,
  roomBytes: 16,
  slot: 160,
  serial: 168,
  charged: 176,
  figures: 208,
  bytes: 400,
} as const;

/** Offsets in the buffer of a stock ledger, in bytes. */
export const stockStaging = {
  holdNs: 0,
  reservation: 8,
  quantity: 16,
  line: 24,
  perUser: 32,
  shards: 40,
  backorder: 48,
  sellNs: 56,
  user: 64,
  id: 80,
  lines: 96,
  lineQuantity: 16,
  lineBytes: 24,
  texts: 1824,
  figures: 1632,
  bytes: 4192,
} as const;

/** Offsets in the buffer of a gate, in bytes. */
export const gateStaging = {
  reservation: 0,
  retryAfterMs: 8,
  line: 16,
  renewInMs: 24,
  answer: 32,
  aside: 40,
  asideBytes: 32,
  taken: 72,
  takenEntry: 8,
  takenDeliveries: 12,
  takenBytes: 16,
  figures: 1096,
  bytes: 1288,
} as const;

/** Figures of Queue.stats(). */
export const queueFigures = [
  'depth',
  'highWater',
  'pushed',
  'popped',
  'rejected',
  'expired',
  'dropped',
  'shed',
  'waiting',
  'waitersRefused',
  'permits',
  'wakeups',
] as const;

/** Figures of `waitNs` in Queue.stats(), after `queueFigures`. */
export const waitFigures = ['count', 'mean', 'p50', 'p90', 'p99', 'p999', 'max'] as const;

/** Figures of Limiter.stats(). */
export const limiterFigures = [
  'allowed',
  'dryRefusals',
  'waiting',
  'inFlight',
  'keys',
  'evicted',
  'overflowed',
  'forgotten',
  'bytes',
] as const;

/** Figures of `refused` in Limiter.stats(), after `limiterFigures`. */
export const refusalFigures = [
  'token-bucket',
  'sliding-window',
  'queue-depth',
  'blocked',
  'adaptive',
  'waiting-line',
] as const;

/** Figures of Limiter.limits(). */
export const limitFigures = ['ratePerSecond', 'burst', 'max'] as const;

/** Figures of each window in Limiter.limits(), after `limitFigures`. */
export const windowFigures = ['limit', 'windowMs'] as const;

/** Figures of Stock.stats(). */
export const stockFigures = [
  'reserved',
  'confirmed',
  'cancelled',
  'expired',
  'extended',
  'parted',
  'changed',
  'returned',
  'refused',
] as const;

/** Figures of Stock.counts(). */
export const countFigures = ['total', 'available', 'reserved', 'sold', 'backorder', 'backordered'] as const;

/** Figures of Stock.audit(). The `countFigures` of one item follow them. */
export const auditFigures = [
  'items',
  'held',
  'lines',
  'free',
  'slots',
  'users',
  'usersCounted',
  'usersOff',
  'shardsOff',
  'neverDue',
  'reservedFound',
  'usersFound',
] as const;

/** Figures of Gate.stats(). */
export const gateFigures = [
  'admitted',
  'requeued',
  'duplicates',
  'rateLimited',
  'queueFull',
  'soldOut',
  'userLimit',
  'otherwiseRefused',
  'inHand',
  'redelivered',
] as const;

/** Functions of the addon. */
export const addonFunctions = [
  'createClock',
  'attachClock',
  'createQueue',
  'attachQueue',
  'createLimiter',
  'attachLimiter',
  'createStock',
  'restoreStock',
  'attachStock',
  'createGate',
  'gateParts',
  'attachGate',
  'pinThread',
  'stagingBytes',
  'openWindow',
  'bootTimeMs',
] as const;

/** Functions of a clock. */
export const clockFunctions = ['now', 'advance'] as const;

/** Functions of a queue. */
export const queueFunctions = [
  'ring',
  'tell',
  'push',
  'pushTo',
  'pushMany',
  'waitPush',
  'waitReserve',
  'waiterState',
  'leave',
  'retire',
  'awaitServed',
  'onServed',
  'keepAlive',
  'reserve',
  'pushReserved',
  'openBatch',
  'fillBatch',
  'flushBatch',
  'closeBatch',
  'next',
  'take',
  'takeOne',
  'wantDropped',
  'park',
  'unpark',
  'setRef',
  'awaitRecord',
  'spin',
  'consumes',
  'giveLease',
  'onArrival',
  'drained',
  'consumed',
  'empty',
  'awaitEmpty',
  'emptied',
  'close',
  'closed',
  'depth',
  'claimed',
  'gone',
  'stats',
  'waits',
  'dispose',
] as const;

/** Functions of a limiter. */
export const limiterFunctions = [
  'allow',
  'allowOne',
  'tryAcquire',
  'peek',
  'rooms',
  'release',
  'penalize',
  'reward',
  'refund',
  'reset',
  'block',
  'overload',
  'acquire',
  'tend',
  'told',
  'leave',
  'onServed',
  'keepAlive',
  'configure',
  'stats',
  'limits',
  'dispose',
] as const;

/** Functions of a stock ledger. */
export const stockFunctions = [
  'reserve',
  'confirm',
  'cancel',
  'extend',
  'confirmPart',
  'cancelPart',
  'giveBack',
  'giveBackOf',
  'change',
  'expire',
  'sweep',
  'addItem',
  'restock',
  'withdraw',
  'setTotal',
  'closeItem',
  'reopenItem',
  'changeItem',
  'configure',
  'addGroup',
  'changeGroup',
  'limitsUsers',
  'counts',
  'audit',
  'sellUntil',
  'stats',
  'oldestMovement',
  'endOfMovements',
  'readMovement',
  'findReservation',
  'listReservations',
  'snapshot',
  'dispose',
] as const;

/** Functions of a gate. */
export const gateFunctions = [
  'admit',
  'admitWith',
  'admitAside',
  'pushAside',
  'dropAside',
  'take',
  'resolve',
  'putBack',
  'renew',
  'stats',
  'dispose',
] as const;

/** The most threads that can have one object attached at one time. */
export const threadsMax = 256;

/** The most records in the buffer `in` of a queue, and in its buffer `out`. */
export const stagedRecords = 64;

/** The size of the memory that native code and WebAssembly share, in pages of 64 KiB. */
export const arenaPages = 16384;

/** The largest settings of a queue, and of calls to it. */
export const queueLimits = {
  capacity: 16777216,
  lanes: 8,
  weight: 1000,
  waiters: 65536,
  permits: 16383,
  spin: 1000000,
  droppedAtOnce: 64,
} as const;

/** The largest settings of a limiter. A name that ends in `Min` is that of a smallest one. */
export const limiterLimits = {
  rateMin: 3.1623153207852664e-8,
  rate: 10000000,
  cost: 4294967295,
  warmUpMs: 86400000,
  windows: 4,
  windowLimit: 1073741823,
  windowMs: 31622400000,
  buckets: 1000,
  logLimit: 1000000,
  keys: 10000000,
  keyText: 1024,
  keyBits: 8192,
  waiters: 65536,
  loopDelayMsMin: 1,
  loopDelayMs: 60000,
  queueWaitMsMin: 0.001,
  queueWaitMs: 3600000,
  adaptiveMsMin: 10,
  adaptiveMs: 60000,
} as const;

/** The largest settings of a stock ledger. */
export const stockLimits = {
  items: 65536,
  shards: 16,
  groups: 64,
  groupMembers: 64,
  reservations: 16777216,
  users: 67108864,
  ids: 67108864,
  movements: 16777216,
  quantity: 4294967295,
  lines: 64,
  skuText: 32,
  userText: 64,
  idText: 256,
  holdMs: 86400000,
  sellForMs: 31622400000,
} as const;

/** The largest settings of a gate. */
export const gateLimits = {
  inHand: 65536,
  holdMs: 86400000,
} as const;

/** The latest start of a manual clock, and its end, in milliseconds. */
export const clockLimits = {
  startMs: 1000000000000,
  endMs: 1100000000000,
} as const;
