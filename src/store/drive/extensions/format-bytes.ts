/** A size as the original writes it: `512 bytes`, `1.50 KB`, in steps of 1024. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
    ['KB', 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(2)} ${unit}`;
  }
  return `${bytes} bytes`;
}
