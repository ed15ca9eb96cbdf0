/** What the original has around its store. */
export { alignOrCopy, type TypedArrayOf } from './align-or-copy.ts';
export {
  type ImportedFile,
  type ImportReport,
  importDirRecursively,
  openFileStream,
  readFileEntry,
} from './file-import.ts';
export { formatBytes } from './format-bytes.ts';
export { NamespaceHasher } from './namespace-hasher.ts';
export {
  jsonCodec,
  readOption,
  readWithTtl,
  type ValueCodec,
  writeOption,
  writeWithTtl,
} from './values.ts';
export { verifyFileExistence } from './verify-file.ts';
