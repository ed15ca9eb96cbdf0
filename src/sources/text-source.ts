/**
 * What sources of text have in common: inputs one after the other, each decoded by a format, with
 * cursors that go on in the middle of any.
 */
import type { Batch } from '../core/batch.ts';
import { readOnError } from '../core/reject.ts';
import type { Source } from '../core/stage.ts';
import { batchBytesOf } from '../formats/jsonl.ts';
import type { DecoderOptions } from '../formats/line-decoder.ts';
import { type ByteInput, type Input, Inputs } from './byte-input.ts';
import { type InputReader, parsePlace } from './input-place.ts';

/** What every text source can be told. */
export interface TextSourceOptions
  extends Pick<DecoderOptions, 'batchBytes' | 'maxLineBytes' | 'maxDepth' | 'onError'> {}

/** What a format needs to go on: an offset and a number of its own. */
type Mark<K extends string> = { readonly offset: number } & { readonly [key in K]: number };

/** Turns a reader's bytes into batches, and closes it. */
type Decode<K extends string, O> = (
  reader: InputReader,
  options: O &
    Omit<DecoderOptions, 'cursorAt'> & {
      readonly from?: Mark<K>;
      readonly cursorAt?: (place: Mark<K>, ordinal: number) => unknown;
    },
) => AsyncGenerator<Batch, void, void>;

/**
 * A source over inputs of a format. Its cursors are places of inputs with the format's own number,
 * called `mark`, and the ordinal of the next document. Errors: those of the inputs and the format;
 * CURSOR_MISMATCH at once for a cursor of another form.
 */
export function createTextSource<K extends string, O extends TextSourceOptions>(
  name: string,
  mark: K,
  input: ByteInput | readonly Input[],
  options: O,
  decode: Decode<K, O>,
): Source {
  const inputs = new Inputs(input);
  return {
    name,
    get spent() {
      return inputs.spent;
    },
    batches(signal, wants, from) {
      const cursor = parsePlace<Mark<K> & { ordinal: number }>(from, [mark, 'ordinal']);
      const { rejects } = wants;
      const onError = readOnError(options.onError ?? wants.onReject);
      return readAll();

      async function* readAll(): AsyncGenerator<Batch, void, void> {
        const how = { signal, chunkBytes: batchBytesOf(options), rejects };
        let ordinal = cursor?.ordinal ?? 0;
        for await (const opened of inputs.open(how, cursor)) {
          const { name: source, reader, from } = opened;
          const cursorAt = (place: Mark<K>, next: number) => {
            return { ...place, ...reader.placeAt(place.offset), ordinal: next };
          };
          const start = from ? { from } : {};
          const decoding = { ...options, ...wants, onError, source, ordinal, cursorAt, ...start };
          for await (const batch of decode(reader, decoding)) {
            ordinal += batch.length;
            yield batch;
            signal.throwIfAborted();
          }
        }
      }
    },
  };
}
