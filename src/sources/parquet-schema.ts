/**
 * The schema of a Parquet file, and what of it the library is told. The library keeps values by the names of
 * their fields, joined by dots, and makes of them what the annotations say: of decimals doubles, of maps
 * objects. So it gets names that nothing can collide with, and one annotation only: that of lists whose
 * middle node it is to leave out. What values mean is read from the schema as the file has it.
 */
import {
  type ColumnChunk,
  type FileMetaData,
  parquetSchema,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';

/** A node of the schema as the file has it. */
export interface ParquetNode {
  readonly element: SchemaElement;
  readonly children: readonly ParquetNode[];
  /** What the library calls it. */
  readonly key: string;
  /** The library gives its values as arrays of those of its child's only child. */
  readonly isPlainList: boolean;
}

/** The nodes from a column down to a leaf. */
export type LeafPath = readonly ParquetNode[];

export interface ParquetSchema {
  readonly columns: readonly ParquetNode[];
  /** In the order of the chunks of each row group. */
  readonly leaves: readonly LeafPath[];
  /** The file's metadata as the library gets it. */
  readonly metadata: FileMetaData;
}

/** Errors: RangeError where the column chunks are not those of the schema. */
export function readSchema(metadata: FileMetaData): ParquetSchema {
  const elements: SchemaElement[] = [];
  const leaves: LeafPath[] = [];
  const visit = (tree: SchemaTree, above: LeafPath): ParquetNode => {
    const key = `f${elements.length}`;
    const isPlainList = isThreeLevelList(tree);
    const { converted_type, logical_type, ...physical } = tree.element;
    elements.push({ ...physical, name: key, ...(isPlainList ? { converted_type: 'LIST' } : {}) });
    const children: ParquetNode[] = [];
    const node = { element: tree.element, children, key, isPlainList };
    const path = [...above, node];
    for (const child of tree.children) children.push(visit(child, path));
    if (children.length === 0) leaves.push(path.slice(1));
    return node;
  };
  const root = visit(parquetSchema(metadata), []);
  const groups = metadata.row_groups.map((group) => ({
    ...group,
    columns: group.columns.map((chunk, i) => renameChunk(chunk, leaves[i])),
  }));
  return {
    columns: root.children,
    leaves,
    metadata: { ...metadata, schema: elements, row_groups: groups },
  };
}

/** The names of the nodes, joined by dots. */
export function nameOf(path: LeafPath): string {
  return path.map(({ element }) => element.name).join('.');
}

/** What a group is, whichever generation of annotations says so; empty where none does. */
export function annotationOf({ logical_type, converted_type }: SchemaElement): string {
  return logical_type?.type ?? converted_type ?? '';
}

/** A list around a repeated group of one field. */
function isThreeLevelList({ element, children }: SchemaTree): boolean {
  if (annotationOf(element) !== 'LIST' || element.repetition_type === 'REPEATED') return false;
  const [only] = children;
  return (
    children.length === 1 &&
    only!.element.repetition_type === 'REPEATED' &&
    only!.children.length === 1
  );
}

function renameChunk(chunk: ColumnChunk, path: LeafPath | undefined): ColumnChunk {
  const { meta_data: meta } = chunk;
  if (!meta) return chunk;
  const names = meta.path_in_schema;
  const isSame =
    names.length === path?.length && path.every(({ element }, i) => element.name === names[i]);
  if (!isSame) {
    const expected = path ? `column ${nameOf(path)}` : 'no column';
    throw new RangeError(`a chunk of column ${names.join('.')} where ${expected} is due`);
  }
  return { ...chunk, meta_data: { ...meta, path_in_schema: path.map(({ key }) => key) } };
}
