/**
 * The one error class of the package, with a stable `code` from one table. Callers branch on
 * `code`, never on the message. docs/errors.md is generated from the table.
 */

/** Every code with its advice to the person who meets it. */
export const errorTable = {
  KEY_NOT_FOUND: 'No entry has this key. Check the key and its namespace, or refresh the reader.',
  DOCUMENT_NOT_FOUND: 'No document has this id. Check the id, or refresh the reader.',
  COLLECTION_NOT_FOUND: 'No collection has this name here. `zds list PATH` shows what there is.',
  INVALID_PATH: 'The path or name is not usable here. Use a plain name inside the root.',
  NOT_A_STORE: 'The folder is no ZDS store. Create one with `zds init`.',
  NOT_A_DRIVE: 'The file is no R-Drive file, or its first entry is damaged. It was left as it is.',
  CORRUPTED_INDEX: 'The index disagrees with the data. Run `zds reindex`.',
  CORRUPTED_DATA: 'Stored bytes are damaged at this place. Run `zds validate`.',
  IO_ERROR: 'The operating system refused a file operation; its own error is the cause.',
  JSON_ERROR: 'The text is not a JSON document. Mend the line, or run with on-error skip.',
  CSV_ERROR:
    'The row is not CSV as the dialect and the columns say. Mend it, or change the options of the source: delimiter, quote, ragged, skipLines, comment.',
  INVALID_UTF8: 'The bytes are not UTF-8. Convert the file to UTF-8 first.',
  LINE_TOO_LONG:
    'A line is longer than maxLineBytes, or a CSV row than maxRowBytes. Raise the limit if the data is right.',
  NESTING_TOO_DEEP:
    'The document nests deeper than maxDepth. Raise the limit, up to 8192, if the data is right.',
  NOT_AN_OBJECT: 'A document must be a JSON object. Wrap the value, or drop the line.',
  INVALID_ID: 'Ids are 1 to 255 bytes: letters, digits, "_", "-", "."; no leading "." and no "..".',
  MISSING_ID:
    'The document has no id. Name a field (idField, --id-field) or let ids be made (generateIds, --generate-ids).',
  DUPLICATE_ID: 'A document with this id is there already. Merge instead of appending.',
  ID_MISMATCH: 'The document carries another _id than the one it is stored under.',
  INVALID_DOCUMENT: 'The document cannot be written as JSON, or the schema refuses it.',
  SCHEMA_CHANGED: 'The data no longer fits the schema in use. Give a schema that covers it.',
  SCHEMA_MISMATCH:
    'The collection is strict: all its documents have the schema of its first. Change the document.',
  INVALID_ARGUMENT: 'An option or argument is not usable. The message says which and why.',
  INVALID_EXPRESSION: 'The where-expression cannot be read. See docs/expressions.md.',
  TRUNCATED_INPUT: 'The input ends too early. Fetch or copy it again.',
  CORRUPTED_INPUT: 'The input is damaged. Fetch or copy it again.',
  UNSAFE_ARCHIVE:
    'The archive would write where it may not, or more than is allowed. Do not trust where it came from.',
  INPUT_CHANGED: 'The file changed while it was read. Read it when it is at rest.',
  UNSUPPORTED: 'This Node or platform cannot do this. The message names what would.',
  LOCKED:
    'Something else writes to this store or folder. Wait for it, or open the store read-only.',
  READ_ONLY: 'The store was opened for reading. Open it with mode "write".',
  POISONED: 'An earlier write failed, so this handle refuses further work. Open the store again.',
  CLOSED: 'The handle is closed.',
  CURSOR_MISMATCH:
    'The source is not the one this cursor was made of, or has changed. Run without resume.',
  ABORTED: 'The work was stopped by its signal.',
  FUNCTION_FAILED:
    'A function given to a stage threw for this document. Its own error is the cause.',
  HTTP_ERROR:
    'The server could not be reached, refused the request or gave no usable answer. The message says which.',
  LIMIT_EXCEEDED:
    'A stage would hold or take more than its limit allows. The message says how to raise it.',
  TOO_MANY_REJECTS: 'More records were rejected than allowed. A dead-letter file has them all.',
  NOT_SORTED:
    'The input is not in the order it was declared to have. Leave out `sorted`, or sort the input.',
  CONTRACT_BROKEN:
    'The data has fields or types that the contract freezes. Change the data or the contract.',
  INTERNAL: 'The package or a stage contradicts itself. Nothing it says of this run is certain.',
} as const;

export type ErrorCode = keyof typeof errorTable;

/** Where something went wrong, as far as known. An absent field means unknown, never zero. */
export interface Place {
  readonly path?: string;
  readonly url?: string;
  /** Byte offset in the (decompressed) source, 0-based. */
  readonly offset?: number;
  /** Line number, 1-based. */
  readonly line?: number;
  /** Byte column in the line, 1-based. */
  readonly column?: number;
  /** 0-based ordinal of the record. */
  readonly ordinal?: number;
}

export class EtlError extends Error {
  override readonly name: string = 'EtlError';
  readonly code: ErrorCode;
  readonly place: Place;

  constructor(code: ErrorCode, message: string, options: { place?: Place; cause?: unknown } = {}) {
    const place = options.place ?? {};
    const at = formatPlace(place);
    super(at ? `${at}: ${message}` : message, 'cause' in options ? { cause: options.cause } : {});
    this.code = code;
    this.place = place;
  }

  /** The message without the place in front of it. */
  get reason(): string {
    const at = formatPlace(this.place);
    return at ? this.message.slice(at.length + 2) : this.message;
  }

  /** What the person can do about it. */
  get advice(): string {
    return errorTable[this.code];
  }
}

/** What becomes of what a user's function, or `what` else, threw for the document at a place. */
export function functionFailed(cause: unknown, place: Place = {}, what = 'function'): EtlError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new EtlError('FUNCTION_FAILED', `the ${what} threw: ${text}`, { place, cause });
}

/** True for an EtlError, of this code if one is given; works across copies of the package. */
export function isEtlError(error: unknown, code?: ErrorCode): error is EtlError {
  return (
    error instanceof Error &&
    error.name === 'EtlError' &&
    typeof (error as EtlError).code === 'string' &&
    (code === undefined || (error as EtlError).code === code)
  );
}

/** `file:line:column`, the form editors and terminals link; empty where nothing is known. */
export function formatPlace(place: Place): string {
  const source = place.path ?? place.url ?? '';
  if (place.line !== undefined) {
    const column = place.column === undefined ? '' : `:${place.column}`;
    return `${source || 'line'}:${place.line}${column}`;
  }
  if (place.offset !== undefined) return `${source || 'input'} at byte ${place.offset}`;
  if (place.ordinal !== undefined) return `${source ? `${source} ` : ''}record ${place.ordinal}`;
  return source;
}
