/**
 * Lines that another program added behind our last commit: where they end, and what becomes of a
 * last one without its newline.
 */
import type { OpenInput, Recovery } from './recovery.ts';

/**
 * What another program left behind `from`: answers where its last whole line ends. A writer gives
 * a whole document its missing newline, and puts a torn one beside the data.
 */
export async function adoptTail(
  input: OpenInput,
  from: number,
  size: number,
  recovery: Recovery,
): Promise<number> {
  const { data, disk, paths, kernel, writable } = input;
  let start = size;
  for (let step = 1 << 16; ; step *= 2) {
    const base = Math.max(from, size - step);
    const bytes = new Uint8Array(size - base);
    await data.read(bytes, base);
    const last = bytes.lastIndexOf(10);
    if (last >= 0 || base === from) {
      start = base + last + 1;
      break;
    }
  }
  if (start === size || !writable) return start;
  const torn = new Uint8Array(size - start);
  await data.read(torn, start);
  const { count, bad } = kernel.lines(torn);
  if (count === 1 && bad.length === 0) {
    await data.write(Uint8Array.of(10), size);
    return size + 1;
  }
  recovery.tornPath = `${paths.meta}/torn-${start}.jsonl`;
  const aside = await disk.open(recovery.tornPath, 'create');
  try {
    await aside.truncate(0);
    await aside.write(torn, 0);
    await aside.sync();
  } finally {
    await aside.close();
  }
  await disk.syncDir(paths.meta);
  await data.truncate(start);
  await data.sync();
  return start;
}
