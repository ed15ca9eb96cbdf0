/** Formats of files by their names, for commands that read or write any of them. */
import { existsSync } from 'node:fs';
import { EtlError } from '../core/errors.ts';
import { isHttpUrl, redactName } from '../core/redact.ts';
import { refuseCompression } from '../io/compress.ts';
import { stageTypes } from '../pipeline-file/index.ts';

/** The type of a stage, with the options that the name of the format stands for. */
export interface Format {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const ENDINGS: Readonly<Record<string, Format>> = {
  jsonl: { type: 'jsonl', options: {} },
  ndjson: { type: 'jsonl', options: {} },
  json: { type: 'json', options: {} },
  csv: { type: 'csv', options: {} },
  tsv: { type: 'csv', options: { delimiter: '\t' } },
  arrow: { type: 'arrow', options: {} },
  arrows: { type: 'arrow', options: {} },
  feather: { type: 'arrow', options: {} },
  parquet: { type: 'parquet', options: {} },
};

/**
 * What a name stands for: `PATH#COLLECTION` is a store, the ending behind which a compression may
 * stand says the format of a file, `-` is JSON Lines. Errors: INVALID_ARGUMENT.
 */
export function formatOf(name: string, given: string | undefined, kind: 'source' | 'sink'): Format {
  const isUrl = isHttpUrl(name);
  const store = isUrl ? null : /^(.+)#([^#/]+)$/.exec(name);
  // A file may be called so.
  if (store && given === undefined && !existsSync(name)) {
    return { type: 'zds', options: { root: store[1], collection: store[2] } };
  }
  const ending = /\.([a-z]+)(?:\.(?:gz|br|zst))?$/i.exec(
    isUrl ? name.replace(/[?#].*$/, '') : name,
  )?.[1];
  const word = given ?? (name === '-' ? 'jsonl' : ending?.toLowerCase());
  const found = word !== undefined && Object.hasOwn(ENDINGS, word) ? ENDINGS[word] : undefined;
  if (!found || !Object.hasOwn(stageTypes[kind], found.type)) {
    const known = Object.entries(ENDINGS).filter(([, { type }]) => type in stageTypes[kind]);
    const names = known.map(([each]) => each).join(', ');
    const problem =
      given === undefined ? `what format is ${redactName(name)}?` : `there is no format ${given}`;
    const option = kind === 'source' ? '--from' : '--to';
    throw new EtlError('INVALID_ARGUMENT', `${problem} ${option} takes ${names}`);
  }
  if (kind === 'sink' && ['arrow', 'parquet'].includes(found.type))
    refuseCompression(found.type, name);
  const stream = word === 'arrows' && kind === 'sink' ? { format: 'stream' } : {};
  return { type: found.type, options: { path: name, ...found.options, ...stream } };
}
