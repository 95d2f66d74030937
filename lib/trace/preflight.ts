/** What this machine lets a tracer see, and what to do where it does not. */
import { type Machine, Unavailable } from './machine.js';

export interface Bpf {
  /** The path of bpftrace. */
  readonly bpftrace: string;
  readonly btf: boolean;
  readonly hasTracepoint: (name: string) => boolean;
  readonly notes: readonly string[];
}

/** The number of the first pid namespace of a machine, which is fixed in Linux. */
const firstPidNamespace = 'pid:[4026531836]';
/** Bits of a capability set. */
const sysAdmin = 21n;
const perfmon = 38n;
const bpf = 39n;

/** Finds out whether BPF can be used. @throws Unavailable */
export function bpfOf(machine: Machine): Bpf {
  const bpftrace = machine.find('bpftrace');
  if (bpftrace === undefined) {
    throw new Unavailable(
      'bpftrace is not on the PATH',
      'apt-get install bpftrace (other distributions name it alike)',
    );
  }
  if (!hasRights(machine)) {
    throw new Unavailable(
      'BPF needs root, or the capabilities CAP_BPF and CAP_PERFMON',
      'sudo npx sluice trace ... (in a container: --cap-add=BPF,PERFMON,SYS_PTRACE)',
    );
  }
  const namespace = machine.link('proc/self/ns/pid');
  if (namespace !== undefined && namespace !== firstPidNamespace) {
    throw new Unavailable(
      "this is a pid namespace of its own (a container), and BPF knows processes by the machine's numbers",
      'run it on the host, with the number that the host gives the process, or with: docker run --pid=host',
    );
  }
  if (/\[confidentiality\]/.test(machine.read('sys/kernel/security/lockdown') ?? '')) {
    throw new Unavailable(
      'the kernel is locked down for confidentiality, so BPF may not read its memory',
      'boot with lockdown=integrity',
    );
  }
  const events = ['sys/kernel/tracing/events', 'sys/kernel/debug/tracing/events'].find((path) =>
    machine.has(`${path}/sched/sched_switch`),
  );
  if (events === undefined) {
    throw new Unavailable('tracefs is not mounted', 'mount -t tracefs nodev /sys/kernel/tracing');
  }
  const btf = machine.has('sys/kernel/btf/vmlinux');
  const notes = btf
    ? []
    : [
        'the kernel has no BTF (/sys/kernel/btf/vmlinux): packets count for the thread that was running when they were ' +
          'sent, which may be a stranger, and qdiscs have no names. A kernel with CONFIG_DEBUG_INFO_BTF=y has it',
      ];
  return { bpftrace, btf, notes, hasTracepoint: (name) => machine.has(`${events}/${name}`) };
}

function hasRights(machine: Machine): boolean {
  const set = BigInt(`0x${/^CapEff:\s*([\da-f]+)/m.exec(machine.read('proc/self/status') ?? '')?.[1] ?? 0}`);
  const has = (bit: bigint): boolean => ((set >> bit) & 1n) === 1n;
  return has(sysAdmin) || (has(bpf) && has(perfmon));
}
