/** The Node and Web edges around the stage contracts of core. */
export { SinkStream } from './sink-stream.ts';
export { SourceStream, type StreamOptions } from './source-stream.ts';
export { type StageOptions, TransformStage } from './transform-stage.ts';
