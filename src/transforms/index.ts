/** Transforms as plain contracts; the package's main entry has them as streams. */
export { type CastFunction, type CastOptions, type CastType, castTransform } from './cast.ts';
export type { DocumentFunction, RunOptions } from './each-document.ts';
export { filterTransform } from './filter.ts';
export { type FlattenOptions, flattenTransform } from './flatten.ts';
export { type MapOptions, mapTransform } from './map.ts';
export { projectTransform } from './project.ts';
export { renameTransform } from './rename.ts';
export { tapTransform } from './tap.ts';
export { type UnnestOptions, unnestTransform } from './unnest.ts';
