/** Keeps some fields of every document, on bytes: values stay as they were written. */
import { checkList } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { type PathInput, parsePath } from '../core/path.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import type { Selector } from '../kernels/types.ts';
import { rejectBad } from './reject-document.ts';

/**
 * Fields are nested as in the document, in the order given; what is missing is left out, and a
 * document with nothing left is `{}`.
 * Errors: INVALID_ARGUMENT without a path. Rejects: INVALID_DOCUMENT for documents that JSON cannot
 * hold, NESTING_TOO_DEEP.
 */
export function projectTransform(paths: readonly PathInput[]): Transform {
  if (checkList('project', paths).length === 0)
    throw new EtlError('INVALID_ARGUMENT', 'project needs a path');
  const select = paths.map(parsePath);
  let selector: Selector | undefined;
  return {
    name: 'project',
    apply(batch, _signal, onReject) {
      selector ??= sharedKernel().selector({ select });
      const table = selector.project(batch.bytes());
      rejectBad(batch, table.bad, onReject);
      return table.count === 0 ? [] : [batch.deriveLines(table)];
    },
  };
}
