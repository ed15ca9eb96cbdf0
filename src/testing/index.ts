/** For tests, with any runner: a sink in memory, and contract suites for sources and sinks of one's own. */
export type { CaseInput, Check } from './check.ts';
export { MemorySink, type MemorySinkSummary, memorySink } from './memory-sink.ts';
export { type SinkCase, sinkContract } from './sink-contract.ts';
export { type SourceCase, sourceContract } from './source-contract.ts';
