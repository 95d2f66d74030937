// @ts-check

/**
 * @typedef {import('./admission-desk.js').AdmittedOrder} AdmittedOrder
 * @typedef {import('./cashier.js').HandledOrder} HandledOrder
 * @typedef {import('./shoppers.js').Receipt} Receipt
 */

/**
 * The books of all sides, each written without knowledge of the others.
 * @typedef {object} Books
 * @property {readonly { sku: number, quantity: number }[]} offered
 * @property {readonly AdmittedOrder[]} admitted   the server's, in the order of admission
 * @property {readonly HandledOrder[]} handled     the cashier's, in the order of processing
 * @property {import('./crew-books.js').CrewBooks | undefined} crew  of a crew of cashiers
 * @property {import('./stream-till.js').StreamBooks | undefined} stream  of the stream; its orders are among the others
 * @property {import('./processes/shop-books.js').ShopsBooks | undefined} [shops]  of a sale of several processes
 * @property {readonly Receipt[]} receipts         the clients': every 202 they heard
 * @property {boolean} receiptsComplete whether every 202 that was sent is among the receipts
 * @property {readonly { sku: number, reserved: number, sold: number }[]} ledger  sluice's own counts
 * @property {string | undefined} auditError the error that stock.audit() threw
 */

/**
 * A verdict about something that this sale does not have is not checked. It holds.
 * @typedef {{ holds: boolean, isChecked: boolean, detail: string }} Verdict
 */

/**
 * @typedef {object} Verdicts
 * @property {Verdict} nothingOversold
 * @property {Verdict} resolvedExactlyOnce
 * @property {Verdict} processedInOrder
 * @property {Verdict} noneLostWithWorkers
 * @property {Verdict} noneLostInStream
 * @property {Verdict} auditPassed
 */

/**
 * @param {Books} books
 * @returns {Verdicts}
 */
export function judge(books) {
  return {
    nothingOversold: judgeSelling(books),
    resolvedExactlyOnce: judgeResolving(books),
    processedInOrder: judgeOrder(ofTheQueue(books)),
    noneLostWithWorkers: judgeCrew(ofTheQueue(books)),
    noneLostInStream: judgeStream(books),
    auditPassed: judgeAudit(books),
  };
}

/**
 * Returns the books without the orders of the stream, which is handled beside the queue, by cashiers of its own.
 * @param {Books} books
 * @returns {Books}
 */
function ofTheQueue(books) {
  const streamed = new Set(books.stream?.admitted.map(({ reservation }) => reservation));
  const isOfQueue = (/** @type {{ reservation: string }} */ { reservation }) => !streamed.has(reservation);
  return { ...books, admitted: books.admitted.filter(isOfQueue), handled: books.handled.filter(isOfQueue) };
}

/** @param {Verdicts} verdicts */
export function allHold(verdicts) {
  return Object.values(verdicts).every(({ holds }) => holds);
}

/**
 * Checks the sold units in three ways: by the cashier's book, by the promises to clients that were not cancelled, and
 * by the most units that were promised at any one moment of the sale. Compares the cashier's book with the ledger's
 * count, too.
 * @param {Books} books
 * @returns {Verdict}
 */
function judgeSelling({ offered, admitted, handled, receipts, ledger }) {
  const promises = new Map(receipts.map((receipt) => [receipt.reservation, receipt]));
  const cancelled = new Set(
    handled.filter(({ result }) => result === 'cancelled').map(({ reservation }) => reservation),
  );
  const promisedForGood = [...promises.values()].filter(({ reservation }) => !cancelled.has(reservation));
  const confirmed = handled.filter(({ result }) => result === 'confirmed');
  const known = new Set(offered.map(({ sku }) => sku));

  const wrong = [];
  for (const { sku, quantity } of offered) {
    const sold = units(confirmed, sku);
    const told = units(promisedForGood, sku);
    const most = mostPromised(sku, admitted, handled);
    const inLedger = ledger.find((item) => item.sku === sku)?.sold;
    if (sold > quantity) wrong.push(`item ${sku}: ${sold} units sold of ${quantity}`);
    if (told > quantity) wrong.push(`item ${sku}: clients hold promises of ${told} units of ${quantity}`);
    if (most > quantity) wrong.push(`item ${sku}: ${most} units were promised at one time, of ${quantity}`);
    if (inLedger !== sold)
      wrong.push(`item ${sku}: the cashier sold ${sold} units, the ledger says ${inLedger}`);
  }
  for (const { sku, id } of [...admitted, ...handled]) {
    if (!known.has(sku)) wrong.push(`order ${id} is for item ${sku}, which is not on offer`);
  }
  const total = confirmed.reduce((sum, { quantity }) => sum + quantity, 0);
  return verdict(wrong, `sold ${total} of ${offered.reduce((sum, { quantity }) => sum + quantity, 0)} units`);
}

/**
 * Returns the largest sum of units that were promised and not taken back. An admission is dated after the gate's answer
 * and a cancellation before the call to the ledger, so a unit that is sold again is never counted twice.
 * @param {number} sku
 * @param {readonly AdmittedOrder[]} admitted
 * @param {readonly HandledOrder[]} handled
 */
function mostPromised(sku, admitted, handled) {
  const changes = [
    ...admitted
      .filter((order) => order.sku === sku)
      .map((order) => ({ at: order.step ?? order.admittedBy, units: order.quantity })),
    ...handled
      .filter((order) => order.sku === sku && order.result === 'cancelled')
      .map((order) => ({ at: order.step ?? order.decidedAt, units: -order.quantity })),
  ].sort((a, b) => a.at - b.at || a.units - b.units);
  let promised = 0;
  let most = 0;
  for (const change of changes) {
    promised += change.units;
    most = Math.max(most, promised);
  }
  return most;
}

/**
 * @param {Books} books
 * @returns {Verdict}
 */
function judgeResolving({ admitted, handled, receipts, receiptsComplete, ledger }) {
  const wrong = [];
  const byReservation = new Map(admitted.map((order) => [order.reservation, order]));
  if (byReservation.size !== admitted.length)
    wrong.push(`${admitted.length - byReservation.size} reservations were given twice`);

  const resolved = new Set();
  for (const { reservation, id, paid, result } of handled) {
    const expected = paid ? 'confirmed' : 'cancelled';
    if (byReservation.get(reservation)?.id !== id)
      wrong.push(`order ${id} was handled, but not admitted with reservation ${reservation}`);
    if (resolved.has(reservation)) wrong.push(`reservation ${reservation} was resolved twice`);
    if (result !== expected) wrong.push(`reservation ${reservation} should be ${expected}, but is ${result}`);
    resolved.add(reservation);
  }
  for (const { reservation } of admitted) {
    if (!resolved.has(reservation)) wrong.push(`reservation ${reservation} was never resolved`);
  }
  for (const { sku, reserved } of ledger) {
    if (reserved !== 0) wrong.push(`item ${sku}: the ledger still holds ${reserved} units`);
  }
  wrong.push(...disputes(byReservation, receipts, receiptsComplete));

  const confirmed = handled.filter(({ paid }) => paid).length;
  return verdict(wrong, `${confirmed} confirmed, ${handled.length - confirmed} cancelled`);
}

/**
 * Returns the contradictions between the clients' receipts and the server's book.
 * @param {Map<string, AdmittedOrder>} byReservation
 * @param {readonly Receipt[]} receipts
 * @param {boolean} receiptsComplete
 */
function disputes(byReservation, receipts, receiptsComplete) {
  const wrong = [];
  const told = new Set();
  for (const { id, reservation, sku, quantity } of receipts) {
    const order = byReservation.get(reservation);
    told.add(reservation);
    if (order?.id !== id || order.sku !== sku || order.quantity !== quantity) {
      wrong.push(
        `the client of order ${id} was promised reservation ${reservation}, which is not that order's`,
      );
    }
  }
  if (receiptsComplete && told.size !== byReservation.size) {
    wrong.push(`${byReservation.size} orders were admitted, but clients heard of ${told.size}`);
  }
  return wrong;
}

/**
 * A crew handles the orders of different users at the same time, so their order is compared user by user.
 * @param {Books} books
 * @returns {Verdict}
 */
function judgeOrder({ admitted, handled, crew, shops }) {
  if (shops !== undefined) return notChecked('cashiers of several processes have no common order');
  if (crew === undefined) return compareOrder(admitted, handled);
  const processed = byUser(handled);
  let compared = 0;
  for (const [user, orders] of byUser(admitted)) {
    const { holds, detail } = compareOrder(orders, processed.get(user) ?? []);
    if (!holds) return { holds, isChecked: true, detail: `user ${user}, ${detail}` };
    compared += orders.length;
  }
  return verdict([], `compared ${compared}, user by user`);
}

/**
 * @template {{ user: number }} Order
 * @param {readonly Order[]} orders
 */
function byUser(orders) {
  /** @type {Map<number, Order[]>} */
  const users = new Map();
  for (const order of orders) {
    const known = users.get(order.user);
    if (known === undefined) users.set(order.user, [order]);
    else known.push(order);
  }
  return users;
}

/**
 * @param {readonly AdmittedOrder[]} admitted
 * @param {readonly HandledOrder[]} handled
 * @returns {Verdict}
 */
function compareOrder(admitted, handled) {
  const length = Math.max(admitted.length, handled.length);
  for (let place = 0; place < length; place += 1) {
    const [first, then] = [admitted[place]?.reservation, handled[place]?.reservation];
    if (first !== then) {
      const wrong = `place ${place + 1}: admitted ${first ?? 'none'}, processed ${then ?? 'none'}`;
      return verdict([wrong], '');
    }
  }
  return verdict([], `compared ${length}`);
}

/**
 * Compares the crew's own counts with the other books, and bounds what workers that were killed may have done twice.
 * @param {Books} books
 * @returns {Verdict}
 */
function judgeCrew({ admitted, handled, crew, shops }) {
  if (shops !== undefined) return judgeShops(shops);
  if (crew === undefined) return notChecked('one cashier, no crew');
  const wrong = [];
  const ended = crew.handled + crew.deadLettered;
  const doubles = crew.deaths * crew.concurrency;
  if (ended !== admitted.length) {
    wrong.push(`${admitted.length} orders were admitted, the crew handled or buried ${ended}`);
  }
  if (handled.length !== admitted.length) {
    wrong.push(`${admitted.length} orders were admitted, the cashiers wrote down ${handled.length}`);
  }
  for (const [count, what] of /** @type {const} */ ([
    [crew.again, 'were handed out again'],
    [crew.unwitnessed, 'were decided and not written down'],
  ])) {
    if (count > doubles) wrong.push(`${count} orders ${what}, more than ${crew.deaths} deaths explain`);
  }
  const { workers, deaths, again, deadLettered } = crew;
  return verdict(
    wrong,
    `${workers} workers, ${deaths} deaths, ${again} orders handed out again, ${deadLettered} dead`,
  );
}

/**
 * A process that is killed may have decided the orders that it had in hand: these come again.
 * @param {import('./processes/shop-books.js').ShopsBooks} shops
 * @returns {Verdict}
 */
function judgeShops({ processes, concurrency, deaths, kills, again, unwitnessed }) {
  const wrong = [];
  // An order that was decided comes again, too, if the Redis server was killed before it was acknowledged.
  const doubles = (deaths + kills * processes) * concurrency;
  for (const [count, what] of /** @type {const} */ ([
    [again, 'were handed out again'],
    [unwitnessed, 'were decided and not written down'],
  ])) {
    if (count > doubles) wrong.push(`${count} orders ${what}, more than ${deaths} deaths explain`);
  }
  return verdict(wrong, `${processes} processes, ${deaths} deaths, ${again} orders handed out again`);
}

/**
 * @param {import('./processes/shop-books.js').ShopsBooks} shops
 * @returns {Verdict}
 */
function judgeLeft({ left, deadLetters, kills }) {
  const wrong = [];
  if (left > 0) wrong.push(`${left} orders are left in the stream`);
  if (deadLetters > 0) wrong.push(`${deadLetters} orders are dead letters`);
  return verdict(wrong, `the stream is empty, ${kills} kills of the server`);
}

/**
 * Every order that the server of the stream has acknowledged is decided once, and nothing is left in the stream.
 * @param {Books} books
 * @returns {Verdict}
 */
function judgeStream({ stream, shops }) {
  if (shops !== undefined) return judgeLeft(shops);
  if (stream === undefined) return notChecked('no stream');
  const { admitted, handled, left, deadLetters, again, kills } = stream;
  const wrong = [];
  const decided = new Set(handled.map(({ reservation }) => reservation));
  const missing = admitted.filter(({ reservation }) => !decided.has(reservation)).length;
  if (missing > 0) wrong.push(`${missing} of ${admitted.length} orders were stored and never decided`);
  if (handled.length !== admitted.length)
    wrong.push(`${handled.length} orders were decided, ${admitted.length} stored`);
  if (left > 0) wrong.push(`${left} orders are left in the stream`);
  if (deadLetters > 0) wrong.push(`${deadLetters} orders are dead letters`);
  return verdict(wrong, `${admitted.length} orders, ${kills} kills of the server, ${again} handed out again`);
}

/**
 * @param {Books} books
 * @returns {Verdict}
 */
function judgeAudit({ auditError }) {
  return verdict(
    auditError === undefined ? [] : [auditError],
    'every count recomputed from the reservations',
  );
}

/**
 * @param {readonly { sku: number, quantity: number }[]} orders
 * @param {number} sku
 */
function units(orders, sku) {
  return orders.reduce((sum, order) => sum + (order.sku === sku ? order.quantity : 0), 0);
}

/**
 * @param {readonly string[]} wrong
 * @param {string} otherwise
 * @returns {Verdict}
 */
function verdict(wrong, otherwise) {
  const [first] = wrong;
  if (first === undefined) return { holds: true, isChecked: true, detail: otherwise };
  return {
    holds: false,
    isChecked: true,
    detail: wrong.length === 1 ? first : `${first}, and ${wrong.length - 1} more`,
  };
}

/**
 * @param {string} why
 * @returns {Verdict}
 */
function notChecked(why) {
  return { holds: true, isChecked: false, detail: why };
}
