/** A document per group: counts, sums and the like of all documents with the same key. */
import { Batch } from '../core/batch.ts';
import { checkLimits } from '../core/check-option.ts';
import { EtlError } from '../core/errors.ts';
import { formatPath, type Path, type PathInput, parsePath } from '../core/path.ts';
import type { Transform } from '../core/stage.ts';
import { sharedKernel } from '../kernels/index.ts';
import { decodeText } from '../kernels/twin/text.ts';
import { Fingerprints } from './fingerprints.ts';
import { identityOf, KeyReader, keyOf, pathsOf } from './key-reader.ts';
import { LineBuilder } from './line-editor.ts';
import { Count, Extreme, Mean, type Measure, Sum } from './measures.ts';
import { RawKeys } from './raw-keys.ts';
import type { RawValue } from './raw-value.ts';
import { tryDocument } from './reject-document.ts';

/**
 * One operation and the path it works on; `count: true` counts documents. Missing and null values are
 * passed over. `distinct` counts values that differ.
 */
export type MeasureSpec =
  | { readonly count: true | PathInput }
  | { readonly sum: PathInput }
  | { readonly min: PathInput }
  | { readonly max: PathInput }
  | { readonly mean: PathInput }
  | { readonly distinct: PathInput };

export interface AggregateOptions {
  /**
   * What documents are grouped by: a path, several, or names in the output with their paths. A path
   * without a name gets its steps joined by `_`. Absent: all documents are one group.
   */
  readonly by?: string | readonly PathInput[] | { readonly [name: string]: PathInput };
  /** Names in the output and what is measured. */
  readonly measures: { readonly [name: string]: MeasureSpec };
  /** Memory for groups and distinct values, roughly. Default 256 MiB; then LIMIT_EXCEEDED. */
  readonly maxBytes?: number;
}

/** A batch of groups goes on when it has as many bytes. */
const BATCH_BYTES = 1 << 20;
/** What a group and a measure take beside the key's text, roughly. */
const GROUP_BYTES = 160;
const MEASURE_BYTES = 96;
/** What is read where only the document counts. */
const ID: Path = ['_id'];

interface Group {
  /** The key's fields as they were first written. */
  readonly key: readonly string[];
  readonly measures: readonly Measure[];
  /** False as long as all its documents were refused. */
  used: boolean;
}

/**
 * Groups come when the input has ended, in the order in which they first appeared. A missing key is a
 * key, written as null. Sums of integers are exact; a sum or mean of nothing is null.
 *
 * Errors: LIMIT_EXCEEDED, INVALID_ARGUMENT; INVALID_DOCUMENT for a sum that no number can hold. Rejects: INVALID_DOCUMENT where a value cannot be measured;
 * such a document counts nowhere.
 */
export function aggregateTransform(options: AggregateOptions): Transform {
  const { maxBytes = 256 << 20 } = options;
  checkLimits({ maxBytes });
  const keys = namedPaths(options.by);
  const specs = Object.entries(options.measures).map(([name, spec]) => parseMeasure(name, spec));
  checkNames([...keys.map(({ name }) => name), ...specs.map(({ name }) => name)]);
  const measured = new Map(specs.map(({ path = ID }) => [formatPath(path), path]));
  const names = [...measured.keys()];
  const paths = [...keys.map(({ path }) => path), ...measured.values()];
  const reader = new KeyReader(paths);
  /** Which of the values read a measure takes. */
  const places = specs.map(({ path = ID }) => keys.length + names.indexOf(formatPath(path)));
  const groups = new Map<string, Group>();
  let known = new RawKeys<Group>();
  let distinct = new Fingerprints(sharedKernel());
  let bytes = 0;

  const knownGroupOf = (values: readonly (RawValue | undefined)[], line: Uint8Array): Group => {
    let group = known.find(line, values, keys.length);
    if (group) return group;
    group = groupOf(values.slice(0, keys.length));
    known.add(group);
    return group;
  };
  const groupOf = (values: readonly (RawValue | undefined)[]): Group => {
    const identity = keyOf(values) ?? '';
    let group = groups.get(identity);
    if (group) return group;
    const key = values.map((value) =>
      value ? decodeText(value.bytes, value.start, value.end) : 'null',
    );
    const ordinal = groups.size;
    const measures = specs.map(({ create }, i) =>
      create((value) => distinct.add(`${ordinal} ${i} ${identityOf(value)}`)),
    );
    group = { key, measures, used: false };
    groups.set(identity, group);
    const text = identity.length + key.reduce((sum, part) => sum + part.length, 0);
    bytes += GROUP_BYTES + MEASURE_BYTES * specs.length + 2 * text;
    return group;
  };
  const forget = (): void => {
    groups.clear();
    known = new RawKeys();
    distinct = new Fingerprints(sharedKernel());
    bytes = 0;
  };
  return {
    name: 'aggregate',
    restore: forget,
    apply(batch, _signal, onReject) {
      const bytesRead = batch.bytes();
      let measures: readonly Measure[] = [];
      let found: readonly (RawValue | undefined)[] = [];
      const check = (): boolean => {
        for (let i = 0; i < measures.length; i++) {
          const value = found[places[i]!];
          if (isPresent(value)) measures[i]!.check(value);
        }
        return true;
      };
      reader.read(batch, onReject, (index, values) => {
        const group = knownGroupOf(values, bytesRead);
        measures = group.measures;
        found = values;
        if (!tryDocument(batch, index, onReject, check)) return;
        group.used = true;
        for (let i = 0; i < measures.length; i++) {
          const value = values[places[i]!];
          if (specs[i]!.path === undefined || isPresent(value)) measures[i]!.add(value!);
        }
        if (bytes + known.byteLength + distinct.size * 64 > maxBytes) {
          const reason = `aggregate: ${groups.size} groups need more than ${maxBytes} bytes`;
          throw new EtlError('LIMIT_EXCEEDED', `${reason}; raise maxBytes`);
        }
      });
      return [];
    },
    *flush() {
      if (keys.length === 0) groupOf([]).used = true;
      yield* writeGroups(groups.values(), keys, specs);
      forget();
    },
  };
}

function* writeGroups(
  groups: Iterable<Group>,
  keys: readonly { name: string }[],
  specs: readonly { name: string }[],
): Generator<Batch, void, void> {
  const encoder = new TextEncoder();
  const names = [...keys, ...specs].map(({ name }) => JSON.stringify(name));
  let out = new LineBuilder(1 << 16);
  for (const { key, measures, used } of groups) {
    if (!used) continue;
    const results = measures.map((measure) => measure.result());
    const values = [...key, ...results];
    const tooLarge = results.indexOf(undefined);
    if (tooLarge >= 0) {
      const group = keys.map(({ name }, i) => `, ${name} ${key[i]}`).join('');
      const reason = `the sum is too large for a number: ${specs[tooLarge]!.name}${group}`;
      throw new EtlError('INVALID_DOCUMENT', `aggregate: ${reason}`);
    }
    const text = values.map((value, i) => `${names[i]}:${value}`).join(',');
    out.writer.copy(encoder.encode(`{${text}}`));
    out.endLine(out.count);
    if (out.byteLength < BATCH_BYTES) continue;
    yield Batch.fromLines(out.lines(), sharedKernel().codec);
    out = new LineBuilder(BATCH_BYTES);
  }
  if (out.count > 0) yield Batch.fromLines(out.lines(), sharedKernel().codec);
}

interface MeasurePlan {
  readonly name: string;
  /** Absent where every document counts. */
  readonly path: Path | undefined;
  readonly create: (isNew: (value: RawValue) => boolean) => Measure;
}

const CREATE: { readonly [operation: string]: MeasurePlan['create'] } = {
  count: () => new Count(),
  sum: () => new Sum(),
  min: () => new Extreme(-1),
  max: () => new Extreme(1),
  mean: () => new Mean(),
  distinct: (isNew) => new Count(isNew),
};

function parseMeasure(name: string, spec: MeasureSpec): MeasurePlan {
  const [[operation, input] = [''], more] = Object.entries(spec);
  const create = Object.hasOwn(CREATE, operation) ? CREATE[operation] : undefined;
  if (!create || more || (input === true && operation !== 'count')) {
    const ways = Object.keys(CREATE).join(', ');
    throw new EtlError('INVALID_ARGUMENT', `aggregate: ${name} must be one of ${ways}`);
  }
  return { name, create, path: input === true ? undefined : parsePath(input as PathInput) };
}

function namedPaths(by: AggregateOptions['by']): { name: string; path: Path }[] {
  if (by === undefined) return [];
  if (typeof by === 'object' && by !== null && !Array.isArray(by)) {
    return Object.entries(by).map(([name, input]) => ({ name, path: parsePath(input) }));
  }
  const paths = pathsOf(by as string | readonly PathInput[]);
  return paths.map((path) => ({ name: path.join('_'), path }));
}

function checkNames(names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return;
  throw new EtlError('INVALID_ARGUMENT', `aggregate: two fields would be ${twice}`);
}

/** True for what is there and not null. */
function isPresent(value: RawValue | undefined): value is RawValue {
  return value !== undefined && value.bytes[value.start] !== 0x6e;
}
