/** The contracts and values that every layer shares; runs anywhere. */
export * from './abort.ts';
export * from './batch.ts';
export * from './errors.ts';
export { parseExpression } from './expression.ts';
export { formatExpression } from './expression-format.ts';
export { createIdGenerator, type GeneratedIds } from './generate-id.ts';
export * from './path.ts';
export * from './predicate.ts';
export * from './redact.ts';
export * from './reject.ts';
export * from './retry.ts';
export * from './run-info.ts';
export * from './stage.ts';
export { decodeVector, encodeVector, vectorNumbers } from './vector.ts';
