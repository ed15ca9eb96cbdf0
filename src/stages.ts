/** The transforms as Node stages, for use in `pipeline` between any source and any sink. */
import type { Document } from './core/batch.ts';
import type { PathInput } from './core/path.ts';
import type { Predicate } from './core/predicate.ts';
import type { Transform } from './core/stage.ts';
import { sharedKernel } from './kernels/index.ts';
import { TransformStage } from './streams/transform-stage.ts';
import {
  type DocumentFunction,
  filterTransform,
  type MapOptions,
  mapTransform,
  projectTransform,
  tapTransform,
} from './transforms/index.ts';

/** A stage around a transform of one's own. */
export function transformStage<In extends object = Document, Out extends object = In>(
  transform: Transform,
): TransformStage<In, Out> {
  return new TransformStage<In, Out>(transform, sharedKernel().codec);
}

/** A document for each document; see `mapTransform`. */
export function map<T extends object = Document, U extends object = T>(
  run: DocumentFunction<T, U>,
  options?: MapOptions,
): TransformStage<T, U> {
  return transformStage(mapTransform(run, options));
}

/** Keeps what the predicate (on bytes) or the function (on objects) holds for. */
export function filter<T extends object = Document>(
  keep: Predicate | DocumentFunction<T, boolean>,
): TransformStage<T> {
  return transformStage(filterTransform(keep));
}

/** Keeps these fields of every document, on bytes; see `projectTransform`. */
export function project<T extends object = Document, U extends object = Partial<T>>(
  paths: readonly PathInput[],
): TransformStage<T, U> {
  return transformStage(projectTransform(paths));
}

/** Shows every document to a function and passes it on unchanged. */
export function tap<T extends object = Document>(
  look: DocumentFunction<T, unknown>,
): TransformStage<T> {
  return transformStage(tapTransform(look));
}
