/**
 * Projection: which parts of a document are kept. Paths are merged into a tree once; applying it
 * walks the tree, not the document.
 *
 * A path leads through objects and, element by element, through arrays of objects. An object that is
 * passed through is kept even if nothing in it is (`{}`), likewise an array (`[]`); a scalar where
 * the path goes on is dropped, and so are elements that are no objects.
 */
import type { Document } from '../core/batch.ts';
import type { Path } from '../core/path.ts';

/** Fields to keep, in output order; 'all' keeps the value whole. */
export type Selection = ReadonlyMap<string, Selection | 'all'>;

/** Merges paths: shared beginnings once, and a path that is the beginning of another keeps all. */
export function buildSelection(paths: readonly Path[]): Selection {
  const root = new Map<string, Selection | 'all'>();
  for (const path of paths) {
    let fields = root;
    for (const [depth, step] of path.entries()) {
      const known = fields.get(step);
      if (known === 'all') break;
      if (depth === path.length - 1) {
        fields.set(step, 'all');
        break;
      }
      const inner = (known as typeof root | undefined) ?? new Map<string, Selection | 'all'>();
      fields.set(step, inner);
      fields = inner;
    }
  }
  return root;
}

/** The selected parts of a document as a new object; whole values are shared, not copied. */
export function projectDocument(document: Document, selection: Selection): Document {
  const kept: Document = {};
  for (const [field, inner] of selection) {
    if (!Object.hasOwn(document, field)) continue;
    const value = inner === 'all' ? document[field] : projectValue(document[field], inner);
    if (value === undefined) continue;
    // Assigning to this name would set the prototype.
    if (field === '__proto__') {
      Object.defineProperty(kept, field, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    } else kept[field] = value;
  }
  return kept;
}

function projectValue(value: unknown, selection: Selection): unknown {
  if (Array.isArray(value)) {
    return value.filter(isObject).map((element) => projectDocument(element, selection));
  }
  return isObject(value) ? projectDocument(value, selection) : undefined;
}

function isObject(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
