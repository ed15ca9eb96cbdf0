/** What a process holds open, before and after. */
import { globalAgent } from 'node:http';
import { expect } from 'vitest';
import { openDescriptors, sleep } from './stages.ts';

/** What the process holds by its own account: descriptors, and what keeps it alive, by kind. */
export function held(): Record<string, number> {
  const counts: Record<string, number> = { descriptors: openDescriptors() };
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Connections that Node keeps for later requests are held by nobody; it would close them after 5 seconds. */
function closeIdle(): void {
  for (const sockets of Object.values(globalAgent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}

/** Node's own fetch keeps a connection for four seconds. */
const LONGEST_MS = 8000;

/** Fails unless nothing is held that was not before; sockets take a moment to close. */
export async function expectLetGo(before: Record<string, number>): Promise<void> {
  const left = () => Object.entries(held()).filter(([kind, count]) => count > (before[kind] ?? 0));
  for (
    const since = performance.now();
    left().length > 0 && performance.now() - since < LONGEST_MS;
  ) {
    closeIdle();
    await sleep(2);
  }
  expect(left()).toEqual([]);
}
