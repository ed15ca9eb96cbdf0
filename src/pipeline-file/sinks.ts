/** The sinks that pipeline files know. */
import { EtlError } from '../core/errors.ts';
import type { PathInput } from '../core/path.ts';
import type { AnySink } from '../pipeline/index.ts';
import type { AnySink as AnySinkStage } from '../sinks/any-sink.ts';
import type { ArrowSinkOptions } from '../sinks/arrow-sink.ts';
import { type CsvSinkOptions, csvSink } from '../sinks/csv-sink.ts';
import { type HttpSinkOptions, httpSink } from '../sinks/http-sink.ts';
import { jsonSink } from '../sinks/json-sink.ts';
import { type JsonlSinkOptions, jsonlSink } from '../sinks/jsonl-sink.ts';
import type { ParquetSinkOptions } from '../sinks/parquet-sink.ts';
import type { FolderOptions, PartitionOptions } from '../sinks/partitioned.ts';
import { createRoute } from '../sinks/route.ts';
import { createTee } from '../sinks/tee.ts';
import { type ZdsSinkOptions, zdsSink } from '../sinks/zds-sink.ts';
import { moduleStage } from './module-stage.ts';
import {
  anyOf,
  anyText,
  character,
  collection,
  count,
  fields,
  flag,
  mapOf,
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
const arrowModule = () => import('../sinks/arrow-sink.ts');
const parquetModule = () => import('../sinks/parquet-sink.ts');

interface Target {
  readonly path: string;
}

const target = option(text, 'The file, which appears when it is whole; `-` is standard output.');
const compression = option(
  oneOf('none', 'gzip', 'brotli', 'zstd'),
  'How to compress.',
  'by the ending .gz, .br or .zst',
);

const sink: Schema = { $ref: '#/$defs/sink' };
const partitions = {
  partitionBy: option(anyOf(text, paths), 'A folder per value of these fields; path is then one.'),
  rotate: option(fields({ documents: count, bytes: size }), 'A new file after so many.'),
  maxOpenFiles: option(count, 'Files open at a time.', 32),
  maxFiles: option(count, 'Files written at most.', 10_000),
  publish: option(oneOf('end', 'each'), 'When files get their names.', 'end'),
  existing: option(oneOf('error', 'append'), 'What a folder that is not empty means.', 'error'),
};

const columns = {
  schema: option(
    { type: 'object', additionalProperties: {} },
    'Fields with their types: { n: int64, tags: [utf8] }.',
    'inferred',
  ),
  batchRows: option(count, 'Most rows in a record batch.', 65_536),
  batchBytes: option(size, 'Most bytes in a record batch, roughly.', '64MiB'),
  inferBytes: option(size, 'Bytes of documents to infer the schema from.', '16MiB'),
  onNewField: option(
    oneOf('error', 'ignore'),
    'What a field does that the schema does not have.',
    'error without a schema',
  ),
};

type HttpFileOptions = Omit<FileOptions<HttpSinkOptions>, 'headers' | 'tls' | 'fetch'> & {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TlsFiles;
};

interface RouteFileOptions {
  readonly by: PathInput;
  readonly to: Readonly<Record<string, AnySinkStage>>;
  readonly otherwise?: AnySinkStage | 'drop';
}

type ZdsOptions = Omit<
  FileOptions<ZdsSinkOptions>,
  'id' | 'schema' | 'generateIds' | 'idField' | 'commitIntervalMs'
> & {
  readonly root: string;
  readonly collection: string;
  readonly idField?: PathInput;
  readonly generateIds?: boolean;
  readonly commitIntervalMs?: number;
};

/** By the name in `type`. */
export const sinkTypes: Readonly<Record<string, StageType<AnySink<unknown>>>> = {
  zds: stageType<ZdsOptions, AnySink<unknown>>({
    description:
      'Writes documents to a collection of a store; position and documents are one commit.',
    options: {
      root: option(text, 'The folder of the store.'),
      collection: option(collection, 'The name of the collection.'),
      write: option(
        anyOf(
          oneOf('merge', 'append', 'replace'),
          fields({ deleteWhere: where }, ['deleteWhere']),
          fields({ deleteBy: path }, ['deleteBy']),
        ),
        'How documents meet those that are there.',
        'merge',
      ),
      idField: option(path, 'The field that holds the id.', '_id'),
      generateIds: option(flag, 'Make ids for documents without one.', false),
      commitBytes: option(size, 'Commit after so many bytes.', '32MiB'),
      commitDocuments: option(count, 'Commit after so many documents.'),
      commitIntervalMs: option(count, 'Commit what is older.', 10_000),
      createIfMissing: option(flag, 'Make store and collection when they are missing.', true),
    },
    required: ['root', 'collection'],
    make: ({ root, collection, ...options }) => zdsSink(root, collection, options),
  }),
  jsonl: stageType<Target & FileOptions<JsonlSinkOptions & PartitionOptions>, AnySink<unknown>>({
    description: 'Writes JSON Lines.',
    options: { path: target, compression, ...partitions },
    required: ['path'],
    // Or of one file, as of the others: which summary comes makes no difference here.
    make: ({ path: file, ...options }) => jsonlSink(file, options as FolderOptions),
  }),
  json: stageType<Target & FileOptions<JsonlSinkOptions>, AnySink<unknown>>({
    description: 'Writes one JSON array.',
    options: { path: target, compression },
    required: ['path'],
    make: ({ path: file, ...options }) => jsonSink(file, options),
  }),
  csv: stageType<Target & FileOptions<CsvSinkOptions & PartitionOptions>, AnySink<unknown>>({
    description: 'Writes CSV.',
    options: {
      path: target,
      columns: option(texts, 'Fields to write, in this order.', 'those of the first batch'),
      delimiter: option(character, 'One character, no letter, digit, sign or full stop.', ','),
      header: option(flag, 'Whether the first row names the columns.', true),
      null: option(anyText, 'How null and missing fields are written.', 'empty'),
      quote: option(oneOf('needed', 'strings'), 'Which texts are quoted.', 'needed'),
      lineEnd: option(oneOf('\n', '\r\n'), 'Behind every row.', '\\n'),
      extra: option(oneOf('error', 'drop'), 'What a field does that is no column.', 'error'),
      compression,
      ...partitions,
    },
    required: ['path'],
    make: ({ path: file, ...options }) => csvSink(file, options as FolderOptions),
  }),
  arrow: stageType<
    Target & Omit<FileOptions<ArrowSinkOptions & PartitionOptions>, 'where'>,
    AnySink<unknown>
  >({
    description: 'Writes Arrow: the file format, or the stream format for .arrows.',
    options: {
      path: target,
      format: option(oneOf('file', 'stream'), 'Which of the two.', 'by the ending'),
      ...columns,
      ...partitions,
    },
    required: ['path'],
    make: async ({ path: file, ...options }) =>
      (await arrowModule()).arrowSink(file, options as FolderOptions),
  }),
  parquet: stageType<Target & Omit<FileOptions<ParquetSinkOptions>, 'where'>, AnySink<unknown>>({
    description: 'Writes Parquet.',
    options: {
      path: option(text, 'The file, which appears when it is whole.'),
      compression: option(oneOf('none', 'snappy', 'gzip', 'brotli'), 'Of pages.', 'snappy'),
      ...columns,
    },
    required: ['path'],
    make: async ({ path: file, ...options }) => {
      if (file === '-') throw new EtlError('INVALID_ARGUMENT', 'parquet takes a file, not -');
      return (await parquetModule()).parquetSink(file, options);
    },
  }),
  http: stageType<HttpFileOptions, AnySink<unknown>>({
    description: 'Sends documents to a server, in batches, with retries.',
    options: {
      url: option(text, 'Where requests go.'),
      method: option(oneOf('POST', 'PUT', 'PATCH'), 'Of the requests.', 'POST'),
      headers: option(mapOf(text), 'Headers of every request.'),
      tls,
      format: option(oneOf('jsonl', 'json'), 'A line per document, or one array.', 'jsonl'),
      compression: option(oneOf('none', 'gzip'), 'Of bodies.', 'none'),
      maxDocuments: option(count, 'Most documents in a request.', 1000),
      maxBytes: option(size, 'Most bytes of documents in a request.', '1MiB'),
      concurrency: option(count, 'Requests under way at a time.', 1),
      timeoutMs: option(count, 'For one attempt.', 30_000),
      retry: option(retry, 'How failed requests are tried again.'),
      idempotencyPrefix: option(text, 'What the keys of requests begin with.', 'random'),
    },
    required: ['url'],
    make: async ({ url, tls: files, ...options }) =>
      httpSink(url, { ...options, ...(files === undefined ? {} : { tls: await readTls(files) }) }),
  }),
  tee: stageType<{ readonly sinks: readonly AnySinkStage[] }, AnySink<unknown>>({
    description: 'Gives all documents to several sinks.',
    options: { sinks: option({ type: 'array', items: sink, minItems: 1 }, 'The sinks.') },
    required: ['sinks'],
    make: ({ sinks }) => createTee(sinks),
  }),
  route: stageType<RouteFileOptions, AnySink<unknown>>({
    description: 'Gives each document to the sink that a field names.',
    options: {
      by: option(path, 'The field that names the sink.'),
      to: option(mapOf(sink), 'Sinks by name.'),
      otherwise: option(anyOf(oneOf('drop'), sink), 'Takes all others.', 'they are bad'),
    },
    required: ['by', 'to'],
    make: (options) => createRoute(options),
  }),
  module: moduleStage<AnySink<unknown>>('sink'),
};
