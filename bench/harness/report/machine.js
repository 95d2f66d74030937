/** Describes the machine. The figures depend on it as much as on the code. */
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** @typedef {ReturnType<typeof describeMachine>} Machine */

export function describeMachine() {
  const processors = cpus();
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    processors: processors.length,
    memoryBytes: totalmem(),
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    v8: process.versions.v8,
    sluice: manifest.version,
  };
}

/** @param {Machine} machine */
export function machineLine({ processors, processor, system, node, sluice }) {
  return `sluice ${sluice}, Node ${node}, ${system}, ${processors} x ${processor}`;
}
