/** The sources that pipeline files know. */
import type { Document } from '../core/batch.ts';
import type { Predicate } from '../core/predicate.ts';
import { DEFAULT_MAX_DEPTH, MAX_DEPTH } from '../kernels/types.ts';
import type { AnySource } from '../pipeline/index.ts';
import type { ArrowSourceOptions } from '../sources/arrow-source.ts';
import { type CsvSourceOptions, csvSource } from '../sources/csv-source.ts';
import {
  type FieldShape,
  type GenerateOptions,
  generateSource,
} from '../sources/generate-source.ts';
import type { HttpPages } from '../sources/http-next-page.ts';
import { type HttpSourceOptions, httpSource } from '../sources/http-source.ts';
import { type JsonSourceOptions, jsonSource } from '../sources/json-source.ts';
import { type JsonlSourceOptions, jsonlSource } from '../sources/jsonl-source.ts';
import type { ParquetSourceOptions } from '../sources/parquet-source.ts';
import { type TailSourceOptions, tailSource } from '../sources/tail-source.ts';
import { type ZdsSourceOptions, zdsSource } from '../sources/zds-source.ts';
import { moduleStage } from './module-stage.ts';
import {
  anyOf,
  character,
  collection,
  count,
  fields,
  flag,
  mapOf,
  natural,
  oneOf,
  option,
  path,
  paths,
  retry,
  type Schema,
  size,
  text,
  texts,
  where,
} from './schema.ts';
import { type FileOptions, type StageType, stageType } from './stage-type.ts';
import { readTls, type TlsFiles, tls } from './tls.ts';

// With their libraries, which are large: loaded where a file has such a stage.
const arrowModule = () => import('../sources/arrow-source.ts');
const parquetModule = () => import('../sources/parquet-source.ts');

interface Inputs {
  readonly path: string | readonly string[];
}

type HttpFileOptions = Omit<
  FileOptions<HttpSourceOptions>,
  'path' | 'fetch' | 'tls' | 'headers' | 'pages' | 'format'
> & {
  readonly url: string | readonly string[];
  readonly items?: string | string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TlsFiles;
  readonly format?: 'jsonl' | 'json' | 'csv';
  readonly pages?: Exclude<HttpPages, (...given: never) => unknown>;
};

type GenerateFileOptions = Omit<FileOptions<GenerateOptions<Document>>, 'make' | 'shape'> & {
  readonly shape?: Readonly<Record<string, Exclude<FieldShape, (...given: never) => unknown>>>;
};

const SHAPES = ['id', 'ordinal', 'integer', 'float', 'boolean', 'word', 'text', 'timestamp'];
const inputs = option(
  anyOf(text, texts),
  'Path, pattern (`logs/*.gz`), URL, `-` for standard input, or a list of these.',
);
const batchBytes = option(size, 'Size of a batch, roughly.', '1MiB');
const textOptions = {
  maxLineBytes: option(size, 'Longest line or element accepted.', '16MiB'),
  maxDepth: option(
    { ...count, maximum: MAX_DEPTH },
    `Deepest nesting accepted, up to ${MAX_DEPTH}.`,
    DEFAULT_MAX_DEPTH,
  ),
  batchBytes,
};
const items = option(path, 'Where the array of documents stands: data.items.', 'at the top');
const page = (type: string, properties: Readonly<Record<string, Schema>>, needed: string[] = []) =>
  fields({ type: oneOf(type), ...properties }, ['type', ...needed]);
const pages = anyOf(
  page('link', {}),
  page('body', { next: path }, ['next']),
  page('cursor', { cursor: path, parameter: text }, ['cursor']),
  page('offset', { size: count, parameter: text, sizeParameter: text }, ['size']),
  page('page', { first: natural, parameter: text, size: count, sizeParameter: text }),
);
const csvType = oneOf('integer', 'number', 'boolean', 'string');

const csvOptions = {
  delimiter: option(character, 'One character between fields.', 'looked for'),
  quote: option(anyOf(character, { type: 'null' }), 'One character; null for none.', 'looked for'),
  escape: option(character, 'What makes a quote inside of quotes a plain one.', 'looked for'),
  comment: option(character, 'Lines that begin with this character are no rows.'),
  trim: option(flag, 'Drop spaces and tabs around fields.', false),
  skipLines: option(natural, 'Lines to pass over before the header.', 0),
  header: option(flag, 'Whether the first row names the columns.', 'true without columns'),
  columns: option(texts, 'Names of the columns; with a header they replace its names.'),
  types: option(
    anyOf(oneOf('infer', 'string'), mapOf(csvType)),
    'Types of the columns: inferred, all text, or by name.',
    'infer',
  ),
  empty: option(oneOf('null', 'omit', 'string'), 'What an empty field becomes.', 'null'),
  nulls: option(texts, 'Unquoted texts that count as empty.'),
  misfit: option(
    oneOf('string', 'null', 'error'),
    'What becomes of a value that is not of the type of its column.',
    'string',
  ),
  ragged: option(
    oneOf('error', 'pad', 'truncate', 'fit'),
    'What becomes of a row with too few or too many fields.',
    'error',
  ),
  maxRowBytes: option(size, 'Longest row accepted.', '16MiB'),
};

/** By the name in `type`. */
export const sourceTypes: Readonly<Record<string, StageType<AnySource>>> = {
  jsonl: stageType<Inputs & FileOptions<JsonlSourceOptions>, AnySource>({
    description: 'Reads JSON Lines, compressed or not.',
    options: { path: inputs, ...textOptions },
    required: ['path'],
    make: ({ path: input, ...options }) => jsonlSource(input, options),
  }),
  csv: stageType<Inputs & FileOptions<CsvSourceOptions>, AnySource>({
    description: 'Reads CSV; what is not said is found out by looking at the file.',
    options: {
      path: inputs,
      ...csvOptions,
      batchBytes,
    },
    required: ['path'],
    make: ({ path: input, ...options }) => csvSource(input, options),
  }),
  json: stageType<
    Inputs & Omit<FileOptions<JsonSourceOptions>, 'path'> & { readonly items?: string | string[] },
    AnySource
  >({
    description: 'Reads JSON text: an array of documents, or one document after the other.',
    options: {
      path: inputs,
      items,
      ...textOptions,
    },
    required: ['path'],
    make: ({ path: input, items: array, ...options }) =>
      jsonSource(input, { ...options, ...(array === undefined ? {} : { path: array }) }),
  }),
  arrow: stageType<Inputs & FileOptions<ArrowSourceOptions>, AnySource>({
    description: 'Reads Arrow IPC, the file and the stream format.',
    options: {
      path: inputs,
      columns: option(texts, 'Columns to read, in this order.', 'all'),
      where: option(where, 'Rows to keep.', 'all'),
      nulls: option(oneOf('null', 'absent'), 'What becomes of nulls.', 'null'),
      decimals: option(oneOf('number', 'string'), 'How decimals are written.', 'number'),
      batchBytes,
      maxBatchBytes: option(size, 'Most bytes of one record batch.', '1GiB'),
    },
    required: ['path'],
    make: async ({ path: input, ...options }) => (await arrowModule()).arrowSource(input, options),
  }),
  parquet: stageType<Inputs & FileOptions<ParquetSourceOptions>, AnySource>({
    description: 'Reads Parquet.',
    options: {
      path: inputs,
      columns: option(texts, 'Columns to read, in this order.', 'all'),
      where: option(where, 'Rows to keep.', 'all'),
      nulls: option(oneOf('null', 'absent'), 'What becomes of nulls.', 'null'),
      decimals: option(oneOf('number', 'string'), 'How decimals are written.', 'number'),
      batchBytes,
    },
    required: ['path'],
    make: async ({ path: input, ...options }) =>
      (await parquetModule()).parquetSource(input, options),
  }),
  tail: stageType<Inputs & FileOptions<TailSourceOptions>, AnySource>({
    description: 'Follows JSON Lines files that grow, through rotation.',
    options: {
      path: option(anyOf(text, texts), 'Path or pattern, or several.'),
      pollMs: option(count, 'Longest time between two looks.', 1000),
      idleMs: option(count, 'End when nothing has come for so long.', 'never'),
      begin: option(oneOf('start', 'end'), 'Where files new to the source begin.', 'start'),
      onLost: option(oneOf('error', 'skip'), 'When the rest of a rotated file is gone.', 'error'),
      maxFiles: option(count, 'Files followed at once.', 1000),
      ...textOptions,
    },
    required: ['path'],
    make: ({ path: input, ...options }) => tailSource(input, options),
  }),
  generate: stageType<GenerateFileOptions, AnySource>({
    description: 'Makes documents up, for trying out.',
    options: {
      documents: option(natural, 'How many.'),
      seed: option(natural, 'The same seed gives the same documents.', 1),
      shape: option(
        mapOf(anyOf(oneOf(...SHAPES), { type: 'array' })),
        'Fields and what they hold.',
      ),
      batchDocuments: option(count, 'Documents in a batch.', 1000),
    },
    required: ['documents'],
    make: (options) => generateSource(options),
  }),
  http: stageType<HttpFileOptions, AnySource>({
    description: 'Reads JSON Lines, JSON or CSV over HTTP, with retries, pages and resuming.',
    options: {
      url: option(anyOf(text, texts), 'The URL, or several, read one after the other.'),
      headers: option(mapOf(text), 'Headers of every request.'),
      tls,
      format: option(
        oneOf('jsonl', 'json', 'csv'),
        'What the bodies are.',
        'by content type or ending',
      ),
      items,
      csv: option(fields(csvOptions), 'How CSV is read.', 'found out'),
      pages: option(pages, 'How the next page is found.', 'an answer is all there is'),
      maxPages: option(count, 'Most pages of one URL.', 10_000),
      maxPageBytes: option(size, 'Most bytes kept of a page to find the next in.', '64MiB'),
      concurrency: option(count, 'Requests at once.', 1),
      requestsPerSecond: option({ type: 'number', minimum: 0.001 }, 'Most requests a second.'),
      retry: option(retry, 'How failed requests are tried again.'),
      connectTimeoutMs: option(count, 'Longest wait for an answer.', 30_000),
      idleTimeoutMs: option(count, 'Longest wait for more of a body.', 30_000),
      totalTimeoutMs: option(count, 'Longest time for one exchange.'),
      maxRedirects: option(natural, 'Redirects followed.', 10),
      maxBodyBytes: option(size, 'Longest body.'),
      ...textOptions,
    },
    required: ['url'],
    make: async ({ url, items: array, tls: files, ...options }) =>
      httpSource(url, {
        ...options,
        ...(array === undefined ? {} : { path: array }),
        ...(files === undefined ? {} : { tls: await readTls(files) }),
      }),
  }),
  zds: stageType<
    { readonly root: string; readonly collection: string } & Omit<
      FileOptions<ZdsSourceOptions>,
      'ids'
    > & { readonly ids?: readonly string[]; readonly where?: Predicate },
    AnySource
  >({
    description: 'Reads a collection of a store, or of a .zds archive.',
    options: {
      root: option(text, 'The folder of the store.'),
      collection: option(collection, 'The name of the collection.'),
      where: option(where, 'Documents to keep.', 'all'),
      select: option(paths, 'Fields to return.', 'all'),
      limit: option(natural, 'Most documents to return.'),
      offset: option(natural, 'Documents to pass over first.', 0),
      ids: option(texts, 'Only documents with these ids.'),
      pieceBytes: option(size, 'Bytes read at a time.', '1MiB'),
    },
    required: ['root', 'collection'],
    make: ({ root, collection, ...options }) => zdsSource(root, collection, options),
  }),
  module: moduleStage<AnySource>('source'),
};
