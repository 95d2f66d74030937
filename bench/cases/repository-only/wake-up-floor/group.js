/** The operating system's part of a wake-up. The event loop and sluice take the rest. */
import { answer, program, whyNot } from '../../../harness/repository-only/native/native-program.js';
import { file as rival } from '../../queues/sluice.js';
import { IDLE_MS, measureWakeUp } from '../../wake-up/measure.js';

const FLOOR = 'eventfd alone, in C++';
const skip = process.platform === 'linux' ? await whyNot() : 'eventfd is of Linux';
/** @type {Promise<import('../../../harness/repository-only/native/native-program.js').Program> | undefined} */
let made;

/** @type {import('../../../harness/runner/group.js').Group} */
export const group = {
  name: 'wake-up-floor',
  title: 'A wake-up without an event loop',
  about:
    'The round trips of the group wake-up, compared with two threads in C++, each pinned to its own processor, ' +
    'that wake each other as libuv wakes a loop, by an eventfd in an epoll, and do nothing else. On an idle ' +
    'machine the threads of the event loops are on two processors as well; on a busy one they may share one, ' +
    'which is cheaper.',
  comparisons: [
    comparison('back-to-back', 'back to back', 0),
    comparison('idle', `after ${IDLE_MS} ms idle`, IDLE_MS),
  ],
  bars: [
    bar('round trip of eventfd alone, as a share of that of sluice, back to back', 'back-to-back'),
    bar(`round trip of eventfd alone, as a share of that of sluice, after ${IDLE_MS} ms of idleness`, 'idle'),
  ],
};

/**
 * @param {string} name @param {string} title @param {number} pauseMs @returns
 * {import('../../../harness/runner/group.js').Comparison}
 */
function comparison(name, title, pauseMs) {
  const id = `wake-up-floor/${name}`;
  return {
    title: `Round trip, ${title}`,
    figures: [{ id, title: 'p50', unit: 'ns' }],
    cases: [
      {
        subject: 'sluice',
        run: async ({ warmUpMs, measuredMs }) => {
          return { [id]: (await measureWakeUp({ rival, pauseMs, warmUpMs, measuredMs })).p50 };
        },
      },
      {
        subject: FLOOR,
        ...(skip === undefined ? {} : { skip }),
        run: async ({ warmUpMs, measuredMs }) => {
          made ??= program(new URL('./eventfd.cc', import.meta.url));
          return { [id]: (await answer((await made)([pauseMs, warmUpMs, measuredMs]))).p50 };
        },
      },
    ],
  };
}

/** @param {string} claim @param {string} name @returns {import('../../../harness/runner/group.js').Bar} */
function bar(claim, name) {
  const figure = `wake-up-floor/${name}`;
  return { claim, of: { figure, subject: FLOOR }, to: { figure, subject: 'sluice' } };
}
