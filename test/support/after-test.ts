/** What a test leaves to be put away when it has ended, whichever file it is in; see set-up.ts. */
const works: (() => unknown)[] = [];

export function afterTest(work: () => unknown): void {
  works.push(work);
}

/** Puts away, the latest first. */
export async function putAway(): Promise<void> {
  for (let work = works.pop(); work; work = works.pop()) await work();
}
