/**
 * The bpftrace program of `sluice trace`. Nothing is streamed for each event: the kernel keeps sums and histograms, and
 * only what is slow is printed.
 *
 * How a wait is split: for each thread, `@rq_sum` is how long it was runnable without a processor, and `@sl_sum` how
 * long it slept. A push notes both sums of the thread that consumes, a pop subtracts them. So the time in the ring is
 * the consumer's time on the run queue, plus its sleep, plus the rest, in which it was busy. `hand` and `settle` do the
 * same for the time in hand.
 *
 * bpftrace attaches probes one by one, and takes them off one by one. Only what happens while all are there counts:
 * `@off[0]` is 1 before and after. BEGIN sets it and asks for `clear`, which bpftrace itself does, once it has attached
 * everything. An interval sees that, and later ends the time.
 */
import { ringPositionBits } from '../binding/contract.js';

/** What a wait is for, by the number that the program gives it. */
export const kinds = ['run queue', 'qdisc', 'block queue', 'block device', 'ring', 'in hand'] as const;
export type Kind = (typeof kinds)[number];

/** What the program is written for. */
export interface Traced {
  readonly pid: number;
  /** The threads of the process. */
  readonly tids: readonly number[];
  /** The path of the addon as the process sees it; undefined: only the kernel's queues. */
  readonly addon: string | undefined;
  /** The names of the probes that the addon has. */
  readonly probes: ReadonlySet<string>;
  /** Orders that take at least this long are printed, in microseconds. */
  readonly slowUs: number;
  /** How long to trace, once all probes are attached, in seconds. */
  readonly seconds: number;
  /** The program ends by itself after this many seconds in all, also if nobody is left to end it. */
  readonly secondsMax: number;
  /** Whether the types of the kernel are known, so that the program can look into its structures. */
  readonly btf: boolean;
  /** Whether the kernel has that tracepoint, such as `sched/sched_switch`. */
  readonly hasTracepoint: (name: string) => boolean;
}

/** Each power of two has 2 ** subBits buckets, so a quantile is at most 1/16 off. */
const subBits = 3;
const subBuckets = 2 ** subBits;

/** Returns the middle of a bucket, in microseconds. */
export function bucketMiddle(bucket: number): number {
  if (bucket < subBuckets) return bucket;
  const width = 2 ** (Math.floor(bucket / subBuckets) - 1);
  return (subBuckets + (bucket % subBuckets)) * width + width / 2;
}

/**
 * The most threads that are known from the beginning; later ones are known once they have run. Each costs bpftrace
 * about 20 ms to compile.
 */
export const knownThreadsMax = 256;

/** The most lines that are printed. */
const linesMax = 100_000;

/** Statements that add `$us` to the histogram of a thread. */
function note(tid: string, kind: Kind): string {
  const key = `${tid}, ${kinds.indexOf(kind)}`;
  return `
    $v = $us; $e = (uint64)0;
    if ($v >= 4294967296) { $e += 32; $v = $v >> 32; }
    if ($v >= 65536) { $e += 16; $v = $v >> 16; }
    if ($v >= 256) { $e += 8; $v = $v >> 8; }
    if ($v >= 16) { $e += 4; $v = $v >> 4; }
    if ($v >= 4) { $e += 2; $v = $v >> 2; }
    if ($v >= 2) { $e += 1; }
    $b = $us;
    if ($e >= ${subBits}) { $b = (($e - ${subBits - 1}) << ${subBits}) + (($us >> ($e - ${subBits})) & ${subBuckets - 1}); }
    @n[${key}, $b] = count(); @max[${key}] = max($us); @sum[${key}] = sum($us);`;
}

/** Statements that set `$rq` and `$sl` to the sums of a thread, with the wait in progress. */
function sums(tid: string): string {
  return `
    $rq = @rq_sum[${tid}]; if (@rq_at[${tid}]) { $rq += nsecs - @rq_at[${tid}]; }
    $sl = @sl_sum[${tid}]; if (@sl_at[${tid}]) { $sl += nsecs - @sl_at[${tid}]; }`;
}

/** Maps that are printed at the end. All others are cleared. */
const reported = [
  'n',
  'max',
  'sum',
  'qdisc',
  'net_dropped',
  'outcome',
  'dropped',
  'full',
  'consumer',
  'admits',
];
/** Printed, too: when each order that is still there was pushed, or handed out. */
const open = ['o_at', 'h_at'];

/** Returns the text of the program. */
export function program(traced: Traced): string {
  const has = traced.hasTracepoint;
  const parts = [begin(traced), scheduler(traced)];
  if (has('net/net_dev_queue') && has('net/net_dev_start_xmit')) parts.push(network(traced));
  if (has('block/block_rq_issue') && has('block/block_rq_complete')) parts.push(block(traced));
  if (isJoined(traced)) parts.push(queue(traced), gate(traced));
  const text = parts.join('\n');
  const maps = new Set([...text.matchAll(/@(\w+)\[/g)].map(([, name = '']) => name));
  const cleared = [...maps].filter((name) => ![...reported, ...open].includes(name));
  return `${text}
END {
  if (@off[0] == 0 && @began != 0) { printf("end %llu\\n", nsecs); }
  ${cleared.map((name) => `clear(@${name});`).join(' ')} clear(@lines); clear(@blk_sum); clear(@began);
}
`;
}

function isJoined({ addon, probes }: Traced): boolean {
  return addon !== undefined && probes.has('push') && probes.has('pop');
}

function begin({ tids, seconds, secondsMax }: Traced): string {
  // A thread counts as asleep until its first event shows what it does.
  const threads = tids.slice(0, knownThreadsMax).map((tid) => `@ours[${tid}] = 1; @sl_at[${tid}] = nsecs;`);
  return `BEGIN { @off[0] = 1; ${threads.join(' ')} @lines = 0; @blk_sum = (uint64)0; @began = (uint64)0; clear(@off); }
interval:ms:10 {
  if (@off[0] == 0 && @began == 0) { @began = nsecs; printf("begin %llu\\n", nsecs); }
  if (@off[0] == 0 && nsecs - @began >= ${Math.round(seconds * 1e9)}) { @off[0] = 1; printf("end %llu\\n", nsecs); exit(); }
}
interval:s:${secondsMax} { exit(); }`;
}

/**
 * The run queue: from the wake-up, or the loss of the processor, until a processor runs the thread. A thread that is
 * woken while it still runs (`@on`) has not waited; if it goes to sleep just then, sched_wakeup tells of the wake-up.
 */
function scheduler({ pid, hasTracepoint }: Traced): string {
  const woken = `
  $t = (uint64)args->pid;
  if (@ours[$t] && @on[$t] == 0 && @rq_at[$t] == 0) {
    @rq_at[$t] = nsecs;
    if (@sl_at[$t]) { @sl_sum[$t] += nsecs - @sl_at[$t]; @sl_at[$t] = (uint64)0; }
  }`;
  const created = hasTracepoint('sched/sched_wakeup_new')
    ? `
tracepoint:sched:sched_wakeup_new /pid == ${pid}/ { $t = (uint64)args->pid; @ours[$t] = 1; @rq_at[$t] = nsecs; }`
    : '';
  return `
tracepoint:sched:sched_waking {${woken}
}
tracepoint:sched:sched_wakeup {${woken}
}${created}
tracepoint:sched:sched_switch {
  $now = nsecs;
  if (pid == ${pid}) {
    $t = (uint64)tid;
    @ours[$t] = 1; @on[$t] = 0;
    if (args->prev_state == 0 || args->prev_state == 0x100) { @rq_at[$t] = $now; @sl_at[$t] = (uint64)0; }
    else { @sl_at[$t] = $now; @rq_at[$t] = (uint64)0; }
  }
  $t = (uint64)args->next_pid;
  if (@ours[$t]) {
    @on[$t] = 1; @sl_at[$t] = (uint64)0;
    $since = @rq_at[$t];
    if ($since) {
      @rq_at[$t] = (uint64)0; @rq_sum[$t] += $now - $since;
      if (@off[0] == 0) { $us = ($now - $since) / 1000;${note('$t', 'run queue')} }
    }
  }
}
tracepoint:sched:sched_process_exit /pid == ${pid}/ {
  $t = (uint64)tid;
  delete(@ours[$t]); delete(@on[$t]); delete(@rq_at[$t]); delete(@sl_at[$t]);
}`;
}

/**
 * The qdisc: from the device's queue to its driver. A packet is often sent in a softirq, in which the current thread is
 * a stranger; the socket tells whose it is.
 */
function network(traced: Traced): string {
  const { pid, slowUs, btf, hasTracepoint: has } = traced;
  const bySocket = btf && has('sock/sock_send_length') && has('sock/inet_sock_set_state');
  const closed = 7;
  const owners = bySocket
    ? `
tracepoint:sock:sock_send_length /pid == ${pid}/ { @owner[(uint64)args->sk] = (uint64)tid; }
tracepoint:sock:inet_sock_set_state /args->newstate == ${closed}/ { delete(@owner[(uint64)args->skaddr]); }`
    : '';
  const joined = isJoined(traced) && traced.probes.has('admit');
  // The answer to an admission is the next packet of the thread that admitted.
  const marked = joined
    ? `
    if (pid == ${pid} && @a_ring[$t]) {
      @s_ring[$s] = @a_ring[$t]; @s_pos[$s] = @a_pos[$t]; @a_ring[$t] = (uint64)0;
    }`
    : '';
  const answered = joined
    ? `
  if (@s_ring[$s]) {
    if (@live[@s_ring[$s], @s_pos[$s]]) { @o_net[@s_ring[$s], @s_pos[$s]] = $us + 1; }
    if ($us >= ${slowUs} && @lines < ${linesMax}) {
      @lines++; printf("answer %llu %llu %llu %llu\\n", @s_ring[$s], @s_pos[$s] >> ${ringPositionBits}, $t, $us);
    }
    delete(@s_ring[$s]); delete(@s_pos[$s]);
  }`
    : '';
  const lost = has('skb/kfree_skb')
    ? `
tracepoint:skb:kfree_skb {
  $s = (uint64)args->skbaddr;
  if (@skb_at[$s]) {
    @net_dropped[@skb_tid[$s]] = count(); delete(@skb_at[$s]); delete(@skb_tid[$s]);${joined ? ' delete(@s_ring[$s]); delete(@s_pos[$s]);' : ''}
  }
}`
    : '';
  const named =
    btf && has('qdisc/qdisc_enqueue')
      ? `
tracepoint:qdisc:qdisc_enqueue {
  if (@skb_at[(uint64)args->skbaddr]) { @qdisc[((struct Qdisc *)args->qdisc)->ops->id, args->ifindex] = count(); }
}`
      : '';
  return `${owners}
tracepoint:net:net_dev_queue /@off[0] == 0/ {
  $s = (uint64)args->skbaddr; $t = (uint64)0;${
    bySocket
      ? `
  $t = @owner[(uint64)((struct sk_buff *)args->skbaddr)->sk];`
      : ''
  }
  if ($t == 0 && pid == ${pid}) { $t = (uint64)tid; }
  if ($t != 0) {
    @skb_at[$s] = nsecs; @skb_tid[$s] = $t;${marked}
  }
}
tracepoint:net:net_dev_start_xmit /@off[0] == 0 && @skb_at[(uint64)args->skbaddr]/ {
  $s = (uint64)args->skbaddr; $t = @skb_tid[$s];
  $us = (nsecs - @skb_at[$s]) / 1000;${note('$t', 'qdisc')}${answered}
  delete(@skb_at[$s]); delete(@skb_tid[$s]);
}${lost}${named}`;
}

/** The block layer: from the request to its issue to the driver, and from there to its end. */
function block({ pid, hasTracepoint }: Traced): string {
  // Without a scheduler for the device there is no block_rq_insert.
  const start = hasTracepoint('block/block_io_start') ? 'block_io_start' : 'block_rq_insert';
  const key = '(uint64)args->dev, (uint64)args->sector';
  return `
tracepoint:block:${start} /pid == ${pid} && @off[0] == 0/ { @blk_at[${key}] = nsecs; @blk_tid[${key}] = (uint64)tid; }
tracepoint:block:block_rq_issue /@off[0] == 0 && @blk_at[${key}]/ {
  $t = @blk_tid[${key}];
  $us = (nsecs - @blk_at[${key}]) / 1000;${note('$t', 'block queue')}
  @blk_sum += $us; @dev_at[${key}] = nsecs; delete(@blk_at[${key}]);
}
tracepoint:block:block_rq_complete /@off[0] == 0 && @dev_at[${key}]/ {
  $t = @blk_tid[${key}];
  $us = (nsecs - @dev_at[${key}]) / 1000;${note('$t', 'block device')}
  delete(@dev_at[${key}]); delete(@blk_tid[${key}]);
}`;
}

/** Whether bpftrace can be given that path: in quotes it takes all characters but those with a meaning of their own. */
export function isTraceable(path: string): boolean {
  return !/[":\\$*?[\]\p{Cc}]/u.test(path);
}

function place({ addon }: Traced, name: string): string {
  return `usdt:"${addon}":sluice:${name}`;
}

function usdt(traced: Traced, name: string): string {
  return `${place(traced, name)} /pid == ${traced.pid} && @off[0] == 0/`;
}

/** The ring, joined with the scheduler. */
function queue(traced: Traced): string {
  const { probes, slowUs } = traced;
  const order = '$ring, $pos';
  const maps = ['o_at', 'o_by', 'o_rq', 'o_sl', 'o_blk'];
  const gone = maps.map((name) => `delete(@${name}[${order}]);`).join(' ');
  const optional = (name: string, body: string): string =>
    probes.has(name) ? `\n${usdt(traced, name)} { ${body} }` : '';
  // Also before the time begins: what the first orders wait for cannot be told if it is not known who consumes.
  const seenConsumer = (name: string): string =>
    probes.has(name)
      ? `\n${place(traced, name)} /pid == ${traced.pid}/ { @consumer[arg0] = (uint64)tid; }`
      : '';
  return `
${usdt(traced, 'push')} {
  $ring = arg0; $pos = arg1;
  $c = @consumer[$ring];${sums('$c')}
  @o_at[${order}] = nsecs; @o_by[${order}] = $c; @o_rq[${order}] = $rq; @o_sl[${order}] = $sl; @o_blk[${order}] = @blk_sum;
  @p_ring[(uint64)tid] = $ring; @p_pos[(uint64)tid] = $pos;
}
${usdt(traced, 'pop')} {
  $ring = arg0; $pos = arg1; $t = (uint64)tid;
  @consumer[$ring] = $t;
  $at = @o_at[${order}];
  @t_ring[$t] = $ring; @t_pos[$t] = $pos; @t_at[$t] = $at;
  if ($at) {
    $us = (nsecs - $at) / 1000;${note('$t', 'ring')}
    // If another thread consumed when the order was pushed, or none, the wait is not split.
    $split = (uint64)0; $rq = (uint64)0; $sl = (uint64)0; $blk = @blk_sum - @o_blk[${order}];
    if (@o_by[${order}] == $t) {
      $split = (uint64)1;
      $rq = (@rq_sum[$t] - @o_rq[${order}]) / 1000; $sl = (@sl_sum[$t] - @o_sl[${order}]) / 1000;
    }
    @t_us[$t] = $us; @t_split[$t] = $split; @t_rq[$t] = $rq; @t_sl[$t] = $sl; @t_blk[$t] = $blk;
    if ($us >= ${slowUs} && @lines < ${linesMax}) {
      @lines++;
      printf("ring %llu %llu %llu %llu %llu %llu %llu %llu\\n", $ring, $pos >> ${ringPositionBits}, $t, $us, $split, $rq, $sl, $blk);
    }
  }
  ${gone}
}${optional('drop', `$ring = arg0; $pos = arg1; @dropped[arg2] = count(); ${gone}`)}${optional('full', '@full[arg0] = sum(arg1);')}${seenConsumer('park')}${seenConsumer('wake')}`;
}

/** Orders of a gate: the way to the answer, and the time in hand. */
function gate(traced: Traced): string {
  const { probes, slowUs } = traced;
  let text = '';
  if (probes.has('admit')) {
    text += `
${usdt(traced, 'admit')} {
  $ring = arg0; $t = (uint64)tid;
  @outcome[arg1, arg2] = count(); @admits[$t] = count();
  if (@p_ring[$t] == $ring) {
    @live[$ring, @p_pos[$t]] = 1; @a_ring[$t] = $ring; @a_pos[$t] = @p_pos[$t]; @p_ring[$t] = (uint64)0;
  }
}`;
  }
  if (!probes.has('hand') || !probes.has('settle')) return text;
  const entry = '$ring, $entry';
  const ring = ['us', 'split', 'rq', 'sl', 'blk'];
  const maps = ['at', 'known', 'pos', 'res', 'rq0', 'sl0', 'blk0', ...ring];
  return `${text}
${usdt(traced, 'hand')} {
  $ring = arg0; $entry = arg1; $res = arg2; $t = (uint64)tid;
  @h_at[${entry}] = nsecs; @h_res[${entry}] = $res; @h_known[${entry}] = (uint64)0; @h_us[${entry}] = (uint64)0;
  @h_rq0[${entry}] = @rq_sum[$t]; @h_sl0[${entry}] = @sl_sum[$t]; @h_blk0[${entry}] = @blk_sum;
  // An order that is handed out again was not popped just now.
  if (@t_ring[$t] == $ring && @t_at[$t]) {
    @h_known[${entry}] = (uint64)1; @h_pos[${entry}] = @t_pos[$t];
    ${ring.map((name) => `@h_${name}[${entry}] = @t_${name}[$t];`).join(' ')}
  }
  @t_ring[$t] = (uint64)0;
}
${usdt(traced, 'settle')} {
  $ring = arg0; $entry = arg1; $confirmed = arg2; $t = (uint64)tid;
  $at = @h_at[${entry}];
  if ($at) {
    $us = (nsecs - $at) / 1000;${note('$t', 'in hand')}
    $pos = @h_pos[${entry}];
    if (@h_known[${entry}] && $us + @h_us[${entry}] >= ${slowUs} && @lines < ${linesMax}) {
      @lines++;
      // Two lines, because all arguments of one would not fit on the stack.
      printf("ring %llu %llu %llu %llu %llu %llu %llu %llu\\n", $ring, $pos >> ${ringPositionBits}, $t,
        @h_us[${entry}], @h_split[${entry}], @h_rq[${entry}], @h_sl[${entry}], @h_blk[${entry}]);
      printf("settle %llu %llu %llu %llu %llu %llu %llu %llu %llu\\n", $ring, $pos >> ${ringPositionBits},
        @h_res[${entry}], $us, (@rq_sum[$t] - @h_rq0[${entry}]) / 1000, (@sl_sum[$t] - @h_sl0[${entry}]) / 1000,
        @blk_sum - @h_blk0[${entry}], @o_net[$ring, $pos], $confirmed);
    }
    delete(@live[$ring, $pos]); delete(@o_net[$ring, $pos]);
    ${maps.map((name) => `delete(@h_${name}[${entry}]);`).join(' ')}
  }
}`;
}
