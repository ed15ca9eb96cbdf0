/** Contract suites for sources and sinks of one's own; for any test runner. */
export type { CaseInput, Check } from './check.ts';
export { type SinkCase, sinkContract } from './sink-contract.ts';
export { type SourceCase, sourceContract } from './source-contract.ts';
