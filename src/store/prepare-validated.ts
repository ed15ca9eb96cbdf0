/** From the documents of a batch to lines of what a schema makes of them. */
import type { Batch, Document } from '../core/batch.ts';
import { fieldAt } from '../core/document.ts';
import { EtlError } from '../core/errors.ts';
import { type StandardSchema, validateAll } from '../core/standard-schema.ts';
import type { Kernel } from '../kernels/index.ts';
import { checkOwnId, encodeDocument } from './encode.ts';
import { type IdRule, makeId, type PreparedLines, settleId } from './prepare.ts';

/**
 * Stored lines of what a schema makes of the documents, under the ids that these had before; at once if the
 * schema answers at once. Errors, with the place: INVALID_DOCUMENT and NESTING_TOO_DEEP too.
 */
export function prepareValidated(
  batch: Batch,
  schema: StandardSchema<object>,
  rule: IdRule,
  kernel: Kernel,
): PreparedLines | Promise<PreparedLines> {
  const documents = batch.documents();
  const ids = documents.map((document, i) => {
    const place = batch.place(i);
    const own = rule.make ? makeId(rule, document, place) : fieldAt(document, rule.path);
    const id = settleId(own, rule, place);
    checkOwnId(id, document, place);
    return id;
  });
  const linesOf = (made: readonly Document[]): PreparedLines => {
    const texts = made.map((document, i) => encodeDocument(ids[i]!, document, batch.place(i)));
    const table = kernel.lines(Buffer.from(texts.join('')));
    const [bad] = table.bad;
    if (bad) throw new EtlError(bad.code, bad.reason, { place: batch.place(bad.before) });
    return table;
  };
  const made = validateAll(schema, documents, (i) => batch.place(i));
  return made instanceof Promise ? made.then(linesOf) : linesOf(made);
}
