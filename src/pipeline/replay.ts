/** What a dead-letter file holds, as JSON Lines to read once more. */
import { EtlError } from '../core/errors.ts';
import type { Source } from '../core/stage.ts';

/**
 * The records of a dead-letter file, one per line, as bytes for a JSONL source; `letters` reads the
 * file. Errors: INVALID_DOCUMENT naming the line that is no dead letter.
 */
export async function* replayRecords(
  letters: Source,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const batch of letters.batches(signal, {})) {
    for (const [i, { raw, rawBase64 }] of batch.documents().entries()) {
      yield oneLine(rawBytes(raw, rawBase64) ?? refuse(batch.place(i)));
    }
  }
}

function refuse(place: EtlError['place']): never {
  throw new EtlError('INVALID_DOCUMENT', 'this is no dead letter: it has no raw', { place });
}

function rawBytes(raw: unknown, rawBase64: unknown): Uint8Array | undefined {
  if (typeof raw === 'string') return Buffer.from(raw);
  return typeof rawBase64 === 'string' ? Buffer.from(rawBase64, 'base64') : undefined;
}

/** Between the values of JSON a line end is a space like any other, and inside of them it is none. */
function oneLine(bytes: Uint8Array): Uint8Array {
  const line = new Uint8Array(bytes.length + 1);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    line[i] = byte === 10 || byte === 13 ? 32 : byte;
  }
  line[bytes.length] = 10;
  return line;
}
