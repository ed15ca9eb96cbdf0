/** Transforms as plain contracts; the package's main entry has them as streams. */
export { type AggregateOptions, aggregateTransform, type MeasureSpec } from './aggregate.ts';
export { type BatchOptions, batchTransform } from './batch.ts';
export { type CastFunction, type CastOptions, type CastType, castTransform } from './cast.ts';
export {
  type ContractMode,
  type ContractOptions,
  type ContractType,
  contractTransform,
} from './contract.ts';
export { type DedupeOptions, dedupeTransform } from './dedupe.ts';
export type { CallOptions, DocumentFunction } from './each-document.ts';
export { filterTransform } from './filter.ts';
export { type FlattenOptions, flattenTransform } from './flatten.ts';
export { type IncrementalOptions, incrementalTransform } from './incremental.ts';
export { type LookupOptions, type LookupSource, lookupTransform } from './lookup.ts';
export { type MapOptions, mapTransform } from './map.ts';
export { projectTransform } from './project.ts';
export { renameTransform } from './rename.ts';
export { type SampleOptions, sampleTransform } from './sample.ts';
export { tapTransform } from './tap.ts';
export { type ThrottleOptions, throttleTransform } from './throttle.ts';
export { type UnnestOptions, unnestTransform } from './unnest.ts';
export { type ValidateOptions, validateTransform } from './validate.ts';
