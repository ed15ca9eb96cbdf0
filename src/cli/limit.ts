/** The first documents of a source, for trying things out. */
import type { Source } from '../core/stage.ts';

/** Where the source is, and how many documents were given up to there: opened again, it gives no more. */
interface LimitCursor {
  readonly at: unknown;
  readonly given: number;
}

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
      const { at, given: before = 0 } = (from ?? {}) as Partial<LimitCursor>;
      let given = before;
      if (given >= documents) return;
      for await (const batch of source.batches(signal, wants, at)) {
        const part = batch.length > documents - given ? batch.slice(0, documents - given) : batch;
        given += part.length;
        const cursor: LimitCursor | undefined =
          part.cursor === undefined ? undefined : { at: part.cursor, given };
        yield part.withCursor(cursor);
        if (given >= documents) return;
      }
    },
  };
}
