/**
 * Many small files at a time: each waits for the disk, so a few at once are done sooner. More than
 * the system's own threads would only wait in another queue, with their memory.
 */
const CONCURRENCY = 8;

/** Runs the work for all items, some at a time; after a failure no more are begun. */
export async function eachOf<I>(
  items: readonly I[],
  work: (item: I) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    try {
      while (next < items.length) await work(items[next++]!);
    } catch (error) {
      next = items.length;
      throw error;
    }
  };
  const workers = Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker);
  await endOf(workers);
}

/** Waits until all of it has ended, also where some has failed; then throws the first failure. */
export async function endOf(works: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
