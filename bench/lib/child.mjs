/**
 * Runs one contestant at one work in this process, alone: a warm-up, the measured runs, then the
 * digest of what the last run left. Sends one message to the parent: the figures, or why there are
 * none. Garbage of one run is collected before the next, outside the clock.
 *
 * A contestant's work is an object:
 * - `store`: key of the module's `stores` that must stand before (made in a process of its own);
 * - `setup(context)`: untimed, once; what it returns comes back as `state`;
 * - `reset(context, state)`: untimed, before every run;
 * - `run(context, state)`: timed; its result as text must be the same in every run. A run that times
 *   itself in a process of its own returns `{ seconds, maxRssBytes, result }`;
 * - `digest(context, state)`: untimed, the checksum over the work's result;
 * - `teardown(context, state)`: untimed, at the end.
 */
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { createContext } from './context.mjs';

const task = JSON.parse(process.argv[2]);

try {
  process.send({ ...(await perform(task)), ok: true });
} catch (error) {
  const reason =
    error instanceof Error ? `${error.code ?? error.name}: ${error.message}` : `${error}`;
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const line = reason.split('\n')[0].replaceAll(root, '');
  process.send({ ok: false, reason: line, stack: error?.stack });
  process.exitCode = 1;
} finally {
  process.disconnect();
}

async function perform({ module, work, store, count, runs, warmUps, contestant }) {
  const loaded = await import(new URL(`../${module}`, import.meta.url).href);
  const context = createContext(count, contestant);
  if (store) {
    await loaded.stores[store](context.store(store), context);
    return {};
  }
  const { setup, reset, run, digest, teardown } = loaded.works[work];
  const state = await setup?.(context);
  const seconds = [];
  const results = new Set();
  let peak = 0;
  for (let i = 0; i < warmUps + runs; i++) {
    await reset?.(context, state);
    globalThis.gc?.();
    const start = performance.now();
    const result = await run(context, state);
    const elapsed = result?.seconds ?? (performance.now() - start) / 1000;
    if (i >= warmUps) seconds.push(elapsed);
    peak = Math.max(peak, result?.maxRssBytes ?? 0);
    results.add(String(result?.seconds === undefined ? result : result.result));
  }
  if (results.size > 1) throw new Error(`runs differ: ${[...results].join(' ')}`);
  const maxRssBytes = peak || process.resourceUsage().maxRSS * 1024;
  const checksum = await digest?.(context, state);
  await teardown?.(context, state);
  return { seconds, maxRssBytes, digest: checksum === undefined ? undefined : String(checksum) };
}
