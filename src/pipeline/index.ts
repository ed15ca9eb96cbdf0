/** Runs: from a source through transforms to a sink, with an account of every record. */
export { type RunEvents, RunHandle, run } from './handle.ts';
export type { StageCounts } from './ledger.ts';
export { renderMetrics } from './metrics.ts';
export type { Logger } from './observe.ts';
export type {
  AnySink,
  AnySource,
  AnyTransform,
  RunOptions,
  RunProgress,
  RunSummary,
} from './options.ts';
export type { MaxErrors, RunOnError } from './reject-gate.ts';
export { replayRecords } from './replay.ts';
export type { Telemetry } from './telemetry.ts';
