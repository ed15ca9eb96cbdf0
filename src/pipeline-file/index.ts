/** Pipelines as files. */
export { type LintFinding, type LoadedPipeline, lintPipeline, loadPipeline } from './load.ts';
export { pipelineJsonSchema, stageTypes } from './pipeline-schema.ts';
export { describeSchema } from './schema.ts';
