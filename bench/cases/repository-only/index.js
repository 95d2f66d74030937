/** The groups that need the repository: packages from npm, a compiler, a server. In the order of the reports. */
import { group as coreRing } from './core-ring/group.js';
import { group as dispatch } from './dispatch/group.js';
import { group as gate } from './gate/group.js';
import { group as limiter } from './limiter/group.js';
import { group as overflow } from './overflow/group.js';
import { group as peers } from './peers/group.js';
import { group as redis } from './redis/group.js';
import { group as traps } from './traps/group.js';
import { group as wakeUpFloor } from './wake-up-floor/group.js';

export const groups = [wakeUpFloor, peers, limiter, gate, dispatch, overflow, redis, coreRing, traps];
