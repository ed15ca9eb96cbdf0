/** `zds sniff`: what a file is, and what is in it, as its first documents show. */
import { stat } from 'node:fs/promises';
import { EtlError } from '../../core/errors.ts';
import { redactName } from '../../core/redact.ts';
import type { Source } from '../../core/stage.ts';
import type { CsvSniff } from '../../formats/csv-sniff.ts';
import { stageTypes } from '../../pipeline-file/index.ts';
import { Inputs } from '../../sources/byte-input.ts';
import { sniffCsv } from '../../sources/csv-source.ts';
import type { Command, Terminal } from '../command.ts';
import { inputFiles, isStream, sniffCompression } from '../inputs.ts';
import { limitSource } from '../limit.ts';
import { Look } from '../look.ts';

const SAMPLE = 1000;
/** Looked at for the format. */
const HEAD_BYTES = 64 << 10;

export const sniffCommand: Command = {
  name: 'sniff',
  summary: 'Tell what a file is: format, compression, CSV dialect, fields and their types.',
  usage: 'FILE [--json]',
  positionals: [1, 1],
  options: { json: { help: 'as one JSON object' } },
  async run(args, terminal) {
    const file = args.positionals[0]!;
    const path = isStream(file) ? undefined : (await inputFiles([file]))[0];
    const kind = path === undefined ? undefined : await stat(path);
    const comesOnce = kind?.isFIFO() || kind?.isCharacterDevice();
    if (file === '-' || file === 'stdin' || comesOnce) {
      const problem = 'what comes once cannot be looked at several times; name a file or a URL';
      throw new EtlError('INVALID_ARGUMENT', problem);
    }
    const compression = path === undefined ? undefined : await sniffCompression(path);
    const format = await guessFormat(file);
    const csv = format === 'csv' ? await sniffAsRead(file) : undefined;
    const { stdout } = terminal;
    if (args.flag('json')) {
      const look = await lookAt(file, format, terminal);
      const { delimiter, quote, escape: escapeBy, header, columns, types, reasons } = csv ?? {};
      const dialect = csv ? { delimiter, quote, escape: escapeBy, header, columns, types } : {};
      const found = {
        file: redactName(file),
        format,
        compression,
        ...dialect,
        reasons,
        fields: look.fields(),
      };
      await stdout.write(`${JSON.stringify(found)}\n`);
      return 0;
    }
    const packed = compression === undefined || compression === 'none' ? '' : `, ${compression}`;
    await stdout.write(`${redactName(file)}: ${format}${packed}\n`);
    for (const reason of csv?.reasons ?? []) await stdout.write(`  ${reason}\n`);
    await stdout.write('\n');
    // What was found out so far helps where the rows cannot be read.
    await (await lookAt(file, format, terminal)).print(stdout);
    return 0;
  },
};

/** What `csvSource` takes the file for, and whether its first row looks like the header it is read as. */
async function sniffAsRead(file: string): Promise<CsvSniff> {
  const sniff = await sniffCsv(file);
  if (sniff.header || sniff.columns.length === 0) return sniff;
  const why = sniff.reasons.find((reason) => reason.startsWith('no header'));
  const read = await sniffCsv(file, { header: true });
  const hint = `${why}; it is read as the header all the same, unless you say header: false`;
  return { ...read, header: false, reasons: [...read.reasons, hint] };
}

/** By the first bytes, whatever the name says; what is nothing else is CSV. */
async function guessFormat(file: string): Promise<string> {
  const { signal } = new AbortController();
  for await (const { reader } of new Inputs(file).open({ signal, chunkBytes: HEAD_BYTES })) {
    try {
      const head = (await reader.read(new Uint8Array(0))) ?? new Uint8Array(0);
      const text = Buffer.from(head)
        .toString('latin1')
        .replace(/^\u00ef\u00bb\u00bf/, '');
      if (text.startsWith('ARROW1') || text.startsWith('\u00ff\u00ff\u00ff\u00ff')) return 'arrow';
      if (text.startsWith('PAR1')) return 'parquet';
      const start = text.trimStart();
      if (start.startsWith('[')) return 'json';
      return start.startsWith('{') ? jsonOrLines(start) : 'csv';
    } finally {
      await reader.close();
    }
  }
  return 'csv';
}

/** A first line that is a whole object, and the text goes on: lines. */
function jsonOrLines(start: string): string {
  const line = start.split('\n', 1)[0]!;
  if (line.length === start.length) return 'jsonl';
  try {
    JSON.parse(line);
    return 'jsonl';
  } catch {
    return 'json';
  }
}

async function lookAt(file: string, format: string, { interrupt }: Terminal): Promise<Look> {
  const look = new Look();
  const type = stageTypes.source[format];
  if (!type) return look;
  const { source } = (await type.make({ path: file }, { defer: () => {} })) as { source: Source };
  const { signal } = new AbortController();
  for await (const batch of limitSource(source, SAMPLE).batches(signal, {})) {
    if (interrupt.requested) break;
    look.add(batch);
  }
  if (interrupt.requested) throw new EtlError('ABORTED', 'stopped before the end of the sample');
  return look;
}
