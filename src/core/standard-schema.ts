/**
 * The part of the Standard Schema interface (version 1) that the package needs: any validator library
 * that speaks it can type and check documents, without a dependency on one.
 */
import type { Document } from './batch.ts';
import { EtlError, functionFailed, type Place } from './errors.ts';
import { isPromise } from './is-promise.ts';

/** A validator, by what it makes and what it takes. */
export interface StandardSchema<Output = unknown, Input = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (
      value: unknown,
    ) => ValidationResult<Output> | Promise<ValidationResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a validator answers: a value, or what is wrong. */
export type ValidationResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly ValidationIssue[] };

/** One thing that is wrong. */
export interface ValidationIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The validated document. Errors: INVALID_DOCUMENT, FUNCTION_FAILED; INVALID_ARGUMENT for an async validator. */
export function validateNow(schema: StandardSchema, document: object): Document {
  let result: ReturnType<StandardSchema['~standard']['validate']>;
  try {
    result = schema['~standard'].validate(document);
  } catch (cause) {
    throw functionFailed(cause, {}, 'schema');
  }
  if (isPromise(result)) {
    result.then(undefined, () => undefined);
    throw new EtlError('INVALID_ARGUMENT', 'this schema validates asynchronously; use append');
  }
  return accept(result, {});
}

/**
 * The validated documents, one after the other, at once if the schema answers at once; `place` says where one
 * stands. Errors: INVALID_DOCUMENT, FUNCTION_FAILED.
 */
export function validateAll(
  schema: StandardSchema,
  documents: readonly Document[],
  place: (index: number) => Place,
): Document[] | Promise<Document[]> {
  type Answer = ReturnType<StandardSchema['~standard']['validate']>;
  const accepted: Document[] = [];
  const failed = (cause: unknown) => functionFailed(cause, place(accepted.length), 'schema');
  const ask = (): Answer => {
    try {
      return schema['~standard'].validate(documents[accepted.length]);
    } catch (cause) {
      throw failed(cause);
    }
  };
  const take = (result: ValidationResult<unknown>): void => {
    accepted.push(accept(result, place(accepted.length)));
  };
  const wait = async (first: Answer): Promise<Document[]> => {
    for (let answer = first; ; answer = ask()) {
      const result = await Promise.resolve(answer).catch((cause: unknown) => {
        throw failed(cause);
      });
      take(result);
      if (accepted.length === documents.length) return accepted;
    }
  };
  while (accepted.length < documents.length) {
    const answer = ask();
    if (isPromise(answer)) return wait(answer);
    take(answer);
  }
  return accepted;
}

/** What is wrong, in one line for a person; the first three of many. */
export function describeIssues(issues: readonly ValidationIssue[]): string {
  const reasons = issues.slice(0, 3).map(({ message, path }) => {
    const fields = path?.map((part) => String(typeof part === 'object' ? part.key : part)) ?? [];
    return fields.length > 0 ? `${fields.join('.')}: ${message}` : message;
  });
  return `the schema refuses it: ${reasons.join('; ')}`;
}

function accept(result: ValidationResult<unknown>, place: Place): Document {
  if (result.issues === undefined) return result.value as Document;
  throw new EtlError('INVALID_DOCUMENT', describeIssues(result.issues), { place });
}
