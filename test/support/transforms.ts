/** Runs a transform over batches of lines and gathers what comes out, as text. */
import { Batch, type Document } from '../../src/core/batch.ts';
import type { Reject } from '../../src/core/reject.ts';
import type { Transform } from '../../src/core/stage.ts';
import { sharedKernel } from '../../src/kernels/index.ts';

export interface Applied {
  readonly batches: Batch[];
  readonly texts: string[];
  readonly rejects: Reject[];
}

/** A batch of lines as a source reads them, with places and a cursor. */
export function batchOf(texts: readonly string[], line = 0, source = 'a.jsonl'): Batch {
  const kernel = sharedKernel();
  const bytes = new TextEncoder().encode(texts.map((text) => `${text}\n`).join(''));
  const table = kernel.lines(bytes);
  if (table.bad[0]) throw new Error(`not a document: ${table.bad[0].reason}`);
  const origin = { source, offset: line * 1000, line, ordinal: line };
  return Batch.fromLines(table, kernel.codec, origin, { behind: line + texts.length });
}

/** The lines in batches of `each`. */
export function batchesOf(texts: readonly string[], each: number): Batch[] {
  const batches: Batch[] = [];
  for (let at = 0; at < texts.length; at += each) {
    batches.push(batchOf(texts.slice(at, at + each), at));
  }
  return batches;
}

/** With `collect` false the first reject is thrown. */
export async function applyTo(
  transform: Transform,
  batches: readonly Batch[],
  collect = true,
): Promise<Applied> {
  const { signal } = new AbortController();
  const made: Batch[] = [];
  const rejects: Reject[] = [];
  const onReject = collect ? (reject: Reject) => void rejects.push(reject) : undefined;
  for (const batch of batches) {
    for await (const out of await transform.apply(batch, signal, onReject)) made.push(out);
  }
  const rest = await transform.flush?.(signal, onReject);
  if (rest) for await (const out of rest) made.push(out);
  return { batches: made, texts: made.flatMap(textsOf), rejects };
}

/** The lines of a batch; checks that they are what its records say, and good documents. */
export function textsOf(batch: Batch): string[] {
  const bytes = batch.bytes();
  const table = sharedKernel().lines(bytes);
  if (table.bad[0]) throw new Error(`made a bad line: ${table.bad[0].reason}`);
  if (table.count !== batch.length) throw new Error(`${table.count} lines, not ${batch.length}`);
  const decoder = new TextDecoder();
  return Array.from({ length: batch.length }, (_, i) => {
    const { start, end } = batch.span(i);
    if (bytes[end] !== 10 || bytes[start] !== 0x7b) throw new Error('a record points elsewhere');
    return decoder.decode(bytes.subarray(start, end));
  });
}

/** The objects of lines of JSON. */
export function parsed(texts: readonly string[]): Document[] {
  return texts.map((text) => JSON.parse(text) as Document);
}
