/** `zds put`: stores one document, its bytes as they were given. */
import type { Readable } from 'node:stream';
import { EtlError } from '../../core/errors.ts';
import { decodeText } from '../../io/decode-text.ts';
import { type Command, collectionOption } from '../command.ts';
import { type Interrupt, untilInterrupt } from '../interrupt.ts';
import { openForEdit } from '../open.ts';

/** Most bytes taken for one document from standard input. */
const MAX_DOCUMENT_BYTES = 256 << 20;

export const putCommand: Command = {
  name: 'put',
  summary: 'Store a document under an id, replacing the one there.',
  usage: 'PATH ID -c NAME [--data JSON]',
  positionals: [2, 2],
  options: {
    collection: collectionOption,
    data: { value: 'JSON', help: 'the document; standard input if absent' },
  },
  required: ['collection'],
  async run(args, { stdin, interrupt }) {
    const [path, id] = args.positionals as [string, string];
    const data = args.text('data');
    const bytes = data === undefined ? await readAll(stdin, interrupt) : Buffer.from(data);
    const document = onOneLine(bytes, data === undefined ? 'stdin' : '--data');
    const store = await openForEdit(path, args.text('collection')!, true);
    try {
      await store.putRaw(id, document);
      await store.close();
    } finally {
      await store.abandon();
    }
    return 0;
  },
};

async function readAll(stdin: Readable, interrupt: Interrupt): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of untilInterrupt(stdin, interrupt)) {
    parts.push(part as Uint8Array);
    size += (part as Uint8Array).length;
    if (size > MAX_DOCUMENT_BYTES) {
      throw new EtlError('LINE_TOO_LONG', 'a document has at most 256 MiB', {
        place: { path: 'stdin' },
      });
    }
  }
  if (interrupt.requested) throw new EtlError('ABORTED', 'stopped before the end of the document');
  return Buffer.concat(parts);
}

/** JSON over several lines as one line: line ends between tokens become spaces. */
function onOneLine(bytes: Buffer, source: string): Uint8Array {
  const text = decodeText(bytes, source).replace(/^\uFEFF/, '');
  try {
    JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new EtlError('JSON_ERROR', reason, { place: { path: source }, cause });
  }
  return Buffer.from(text.replace(/[\r\n]+/g, ' '));
}
