/** The first documents of a source, for trying things out. */
import type { Source } from '../core/stage.ts';

/**
 * A source that ends after so many documents of the other's, which leaves none out for a receiver. What it gives
 * last has no cursor where a batch had to be cut.
 */
export function limitSource(source: Source, documents: number): Source {
  return {
    name: source.name,
    ...(source.cursors === false ? { cursors: false } : {}),
    follows: source.follows === true,
    get spent() {
      return source.spent === true;
    },
    async *batches(signal, wants, from) {
      let left = documents;
      for await (const batch of source.batches(signal, wants, from)) {
        yield batch.length > left ? batch.slice(0, left) : batch;
        left -= batch.length;
        if (left <= 0) return;
      }
    },
  };
}
