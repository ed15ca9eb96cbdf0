/** Holds documents against a schema of any library that speaks Standard Schema. */
import { type Batch, type Document, isDocument } from '../core/batch.ts';
import { checkChoice } from '../core/check-option.ts';
import { type OnReject, rejectDocument } from '../core/reject.ts';
import type { Transform } from '../core/stage.ts';
import {
  describeIssues,
  type StandardSchema,
  type ValidationResult,
} from '../core/standard-schema.ts';
import { checkCalls, REJECTED, runEach } from './each-document.ts';

export interface ValidateOptions {
  /**
   * What goes on: what the schema makes of a document (with defaults, without fields it does not
   * know), or the document as it came, byte for byte. Default 'output'.
   */
  readonly keep?: 'output' | 'input';
  /** Checks of an asynchronous schema under way at a time. Default 1. */
  readonly concurrency?: number;
}

/**
 * Rejects: INVALID_DOCUMENT with what the schema says is wrong. FUNCTION_FAILED where it throws.
 * Whole numbers beyond 2^53 are rounded on the way into the schema; `keep: 'input'` lets them through.
 */
export function validateTransform(
  schema: StandardSchema<object>,
  options: ValidateOptions = {},
): Transform {
  const { keep = 'output', concurrency = 1 } = options;
  checkCalls({ concurrency });
  checkChoice('keep', keep, ['output', 'input']);
  const check = (document: object) => schema['~standard'].validate(document);
  return {
    name: 'validate',
    wants: { objects: true },
    apply(batch, signal, onReject) {
      const results = runEach(batch, check, { concurrency, onThrow: 'reject' }, signal, onReject);
      const answers = results as Answers | Promise<Answers>;
      return Array.isArray(answers)
        ? settle(batch, answers, keep, onReject)
        : (answers as Promise<Answers>).then((all) => settle(batch, all, keep, onReject));
    },
  };
}

type Answers = readonly (ValidationResult<unknown> | typeof REJECTED)[];

function settle(
  batch: Batch,
  answers: Answers,
  keep: 'output' | 'input',
  onReject: OnReject | undefined,
): Batch[] {
  const good: number[] = [];
  const made: Document[] = [];
  for (const [i, answer] of answers.entries()) {
    if (answer === REJECTED) continue;
    if (answer.issues === undefined && (keep === 'input' || isDocument(answer.value))) {
      good.push(i);
      if (keep === 'output') made.push(answer.value as Document);
      continue;
    }
    const reason = answer.issues
      ? describeIssues(answer.issues)
      : 'the schema makes something else than an object of it';
    rejectDocument(batch, i, { code: 'INVALID_DOCUMENT', reason }, onReject);
  }
  if (good.length === 0) return [];
  if (keep === 'output') return [batch.deriveDocuments(made, good)];
  return [good.length === batch.length ? batch : batch.pick(good)];
}
