/** Transforms as plain contracts; the package's main entry has them as streams. */
export type { DocumentFunction } from './each-document.ts';
export { filterTransform } from './filter.ts';
export { type MapOptions, mapTransform } from './map.ts';
export { projectTransform } from './project.ts';
export { tapTransform } from './tap.ts';
