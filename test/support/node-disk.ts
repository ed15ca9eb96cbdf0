/** This machine's disk with some of its ways replaced. */
import { type Disk, nodeDisk } from '../../src/io/index.ts';

export function diskWith(other: Partial<Disk>): Disk {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(nodeDisk)) as (keyof Disk)[];
  const own = names.map((name) => [
    name,
    (nodeDisk[name] as (...args: unknown[]) => unknown).bind(nodeDisk),
  ]);
  return { ...Object.fromEntries(own), ...other } as Disk;
}
