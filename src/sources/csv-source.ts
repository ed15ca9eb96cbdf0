/** Documents from CSV: files, patterns, URLs, standard input, streams; compressed or not. */
import type { Batch, Document } from '../core/batch.ts';
import { EtlError } from '../core/errors.ts';
import type { Source, Wants } from '../core/stage.ts';
import { type CsvCursor, type CsvOptions, decodeRows } from '../formats/csv.ts';
import { readHead } from '../formats/csv-head.ts';
import { type CsvLayout, type CsvRowOptions, checkRowOptions } from '../formats/csv-options.ts';
import {
  type CsvSniff,
  HEAD_SAMPLE_BYTES,
  MORE_SAMPLE_BYTES,
  sniffSamples,
} from '../formats/csv-sniff.ts';
import { batchBytesOf } from '../formats/jsonl.ts';
import { detectCompression, SNIFF_BYTES } from '../io/decompress.ts';
import { openFileReader } from '../io/file-reader.ts';
import { SourceStream } from '../streams/source-stream.ts';
import { type ByteInput, Inputs } from './byte-input.ts';
import { type InputPlace, parsePlace } from './input-place.ts';

export interface CsvSourceOptions
  extends CsvRowOptions,
    Pick<CsvOptions, 'batchBytes' | 'onError' | 'onSniff' | 'onMisfits'> {
  /** Stops the reading with ABORTED. */
  readonly signal?: AbortSignal;
}

/**
 * Reads CSV. Inputs, their order and their compression are as for `jsonlSource`. What the options
 * leave open is found out per file, from its beginning and, of a plain file, from its middle and end;
 * a column keeps its type through all files. A document's fields are flat and in the order of the
 * columns. Each batch's cursor holds what was found out, so that a later run reads on the same way.
 *
 * Errors: those of `jsonlSource` for inputs, and of `decodeCsv` for rows and options.
 */
export function csvSource<T extends object = Document>(
  input: ByteInput,
  options: CsvSourceOptions = {},
): SourceStream<T> {
  const { signal, ...rest } = options;
  return new SourceStream<T>(createCsvSource(input, rest), signal ? { signal } : {});
}

/** The same without the stream around it. */
export function createCsvSource(
  input: ByteInput,
  options: Omit<CsvSourceOptions, 'signal'> = {},
): Source {
  checkRowOptions(options);
  const inputs = new Inputs(input);
  return {
    name: 'csvSource',
    get spent() {
      return inputs.spent;
    },
    batches: (signal, wants, from) => readAll(inputs, options, signal, wants, parseCursor(from)),
  };
}

/**
 * What the first of the inputs looks like: dialect, header, columns and their types, each with the
 * reason. Reads a few hundred KiB at most. Errors: those of `csvSource`; INVALID_ARGUMENT.
 */
export async function sniffCsv(input: ByteInput, options: CsvRowOptions = {}): Promise<CsvSniff> {
  checkRowOptions(options);
  const { signal } = new AbortController();
  const inputs = new Inputs(input).open({ signal, chunkBytes: HEAD_SAMPLE_BYTES });
  for await (const { name, reader, path } of inputs) {
    try {
      const { failed, ...head } = await readHead(reader, name);
      if (failed) throw failed.error;
      const more = path === undefined ? [] : await readSamples(path);
      return sniffSamples({ ...head, more }, options);
    } finally {
      await reader.close();
    }
  }
  return sniffSamples({ head: new Uint8Array(0), whole: true }, options);
}

/** A cursor's parts beside the place. */
type RowPlace = Pick<CsvCursor, 'line' | 'row' | 'layout'>;

/** Errors: CURSOR_MISMATCH. */
function parseCursor(cursor: unknown): (InputPlace & RowPlace) | undefined {
  const place = parsePlace<RowPlace>(cursor, ['line', 'row']);
  if (place && !isLayout(place.layout)) {
    throw new EtlError('CURSOR_MISMATCH', 'the cursor is not one of this source');
  }
  return place;
}

function isLayout(layout: CsvLayout | undefined): boolean {
  return (
    typeof layout?.delimiter === 'string' &&
    Array.isArray(layout.columns) &&
    typeof layout.types === 'object'
  );
}

async function* readAll(
  inputs: Inputs,
  options: Omit<CsvSourceOptions, 'signal'>,
  signal: AbortSignal,
  wants: Wants,
  cursor: (InputPlace & RowPlace) | undefined,
): AsyncGenerator<Batch, void, void> {
  const chunkBytes = batchBytesOf(options);
  const onError = options.onError ?? wants.onReject ?? 'stop';
  let row = cursor?.row ?? 0;
  let known = cursor?.layout.types;
  const how = { signal, chunkBytes, rejects: wants.rejects };
  for await (const { name, reader, from, path } of inputs.open(how, cursor)) {
    const decoding: CsvOptions = {
      ...options,
      ...pinTypes(options, known),
      ...(wants.key ? { key: wants.key } : {}),
      documents: wants.documents === true || wants.objects === true,
      onError,
      source: name,
      row,
      ...(from ? { from } : { samples: path === undefined ? [] : await readSamples(path) }),
      cursorAt: ({ offset, line, row: after, layout }) => {
        known = layout.types;
        return { ...reader.placeAt(offset), line, row: after, layout };
      },
    };
    for await (const batch of decodeRows(reader, decoding)) {
      // The beginning is given behind whatever ended its reading.
      signal.throwIfAborted();
      row += batch.length;
      yield batch;
      signal.throwIfAborted();
    }
  }
}

/** Columns keep the types that they had in the inputs before, unless the options say otherwise. */
export function pinTypes(
  { types }: CsvRowOptions,
  known: CsvLayout['types'] | undefined,
): Pick<CsvRowOptions, 'types'> {
  if (known === undefined || types === 'string') return {};
  return { types: typeof types === 'object' ? { ...known, ...types } : known };
}

/** Pieces from the middle and the end of a plain file that is longer than what is looked at anyway. */
async function readSamples(path: string): Promise<Uint8Array[]> {
  const file = await openFileReader(path);
  try {
    const { size } = file;
    if (size === undefined || size <= HEAD_SAMPLE_BYTES) return [];
    if (detectCompression(await file.peek(SNIFF_BYTES), path) !== 'none') return [];
    const places = [size >> 1, size - MORE_SAMPLE_BYTES];
    const samples: Uint8Array[] = [];
    for (const place of places) samples.push(await file.peek(MORE_SAMPLE_BYTES, place));
    return samples;
  } finally {
    await file.close();
  }
}
