/** Waiting for what a stage still does while it is being closed. */

/** It may be waiting for what never comes; it is not waited for longer. */
const LONGEST_MS = 2_000;

/** Resolves when the work has ended, well or not, or has taken too long. */
export async function waitForEnd(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, LONGEST_MS);
  });
  await Promise.race([work.catch(() => {}), late]);
  clearTimeout(timer);
}
