// Loaded before the example: the cashier's connection to the bank (see payments.js) takes 1 s instead of 300 ms. So the
// opening burst fills the queue on a slow machine, too.
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

const sleep = timers.setTimeout;
timers.setTimeout = (ms, ...rest) => sleep(ms === 300 ? 1_000 : ms, ...rest);
syncBuiltinESMExports();
