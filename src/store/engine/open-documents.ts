/** A collection with a file per document, read as one in lines is: the same scans, the same lines. */
import { EtlError, isEtlError } from '../../core/errors.ts';
import { sharedKernel } from '../../kernels/index.ts';
import { Layout } from '../layout.ts';
import type { ReadingCollection } from '../open-reading.ts';
import type { ZdsRoot } from '../root.ts';
import { Scan } from '../scan.ts';
import { Engine } from './engine.ts';

/**
 * Opens it; the root stays the caller's to close. Which documents there are, in which order, is as of
 * now, each is read when it is its turn. Errors: as `Engine.open`.
 */
export async function openDocuments(root: ZdsRoot, collection: string): Promise<ReadingCollection> {
  const engine = await Engine.open(root, collection);
  const path = Layout.docsDir(root.path, collection);
  const lines = (ids?: ReadonlySet<string>): Iterable<Uint8Array> => linesOf(engine, ids);
  return {
    getRaw: (id) => engine.getRaw(id),
    info() {
      const { docCount, totalSize } = engine.stats();
      const counts = { documents: docCount, lines: docCount, dataBytes: totalSize, indexBytes: 0 };
      return { path: root.path, collection, mode: 'read', ...counts };
    },
    scan: (options) => new Scan<object>({ kernel: sharedKernel(), path, lines }, options),
    async table() {
      const text = `${collection} has a file per document, and no columns; table(zdsSource(…)) reads all`;
      throw new EtlError('INVALID_ARGUMENT', text, { place: { path } });
    },
    close: () => engine.close(),
  };
}

/** The lines of the documents with these ids, default all, in order. */
function* linesOf(
  engine: Engine,
  ids: ReadonlySet<string> | undefined,
): Generator<Uint8Array, void, void> {
  for (const id of engine.docIds()) {
    if (ids && !ids.has(id)) continue;
    try {
      yield engine.getRaw(id);
    } catch (error) {
      // It has gone since.
      if (!isEtlError(error, 'DOCUMENT_NOT_FOUND')) throw error;
    }
  }
}
