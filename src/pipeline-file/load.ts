/**
 * Pipeline files: read, checked and made into what `run` takes.
 *
 * Data (.yaml, .yml, .json, or the default export of a module) is checked as a whole, and every stage
 * without a mistake is made, so that one look tells all mistakes. A module may also export the stages
 * themselves, as `run` takes them, which are left alone; or a function that returns either. Paths in a
 * file are those of the working directory, as in every command.
 */
import { extname } from 'node:path';
import { EtlError, isEtlError, type Place } from '../core/errors.ts';
import type { Transform } from '../core/stage.ts';
import { type Identified, stateKeys, unwrap } from '../pipeline/checkpoint.ts';
import type { AnyTransform, RunOptions } from '../pipeline/index.ts';
import {
  type CheckContext,
  checkFields,
  checkValue,
  type Fault,
  faultError,
  inOrder,
  isMapping,
  isPlain,
  nameOf,
  type StageKind,
  type Way,
} from './check.ts';
import { type Environment, Interpolation } from './environment.ts';
import { importModule } from './import-module.ts';
import { suggestion } from './nearest.ts';
import { type ParsedFile, parseFile, refuseCycles } from './parse.ts';
import { kindOptions, pipelineSchema, stageTypes } from './pipeline-schema.ts';
import { fields } from './schema.ts';
import { type Failure, makeAll, StagePlan } from './stage-plan.ts';
import type { Scope } from './stage-type.ts';

/** A pipeline ready to run, once. */
export interface LoadedPipeline {
  readonly options: RunOptions;
  /** The stages as the file describes them; undefined where a module made them itself. */
  readonly data: PipelineData | undefined;
  /** Closes what the stages hold beyond the run. */
  close(): Promise<void>;
}

/** What the file says of its ends. */
export interface PipelineData {
  readonly source: StagePlan;
  readonly sink: StagePlan;
}

/** Something wrong with a file. */
export interface LintFinding {
  readonly place: Place;
  readonly problem: string;
}

/**
 * Reads a file and makes its stages. Errors: IO_ERROR, UNSUPPORTED, and INVALID_ARGUMENT with the
 * place of the first mistake.
 */
export async function loadPipeline(
  path: string,
  environment: Environment = process.env,
): Promise<LoadedPipeline> {
  const found = await readPipeline(path, environment);
  if ('options' in found) return { options: found.options, data: undefined, close: async () => {} };
  const made = await makePipeline(found);
  if (made === undefined) throw faultError(found.faults, found.locate);
  return made;
}

/** Everything that is wrong with a file. Errors: IO_ERROR, UNSUPPORTED. */
export async function lintPipeline(
  path: string,
  environment: Environment = process.env,
): Promise<LintFinding[]> {
  try {
    const found = await readPipeline(path, environment);
    if ('options' in found) return [];
    await (await makePipeline(found))?.close();
    const { faults, locate } = found;
    return inOrder(faults, locate).map(({ place, problem }) => ({ place, problem }));
  } catch (error) {
    if (!isEtlError(error) || error.code === 'IO_ERROR' || error.code === 'UNSUPPORTED')
      throw error;
    return [{ place: error.place, problem: withoutPlace(error) }];
  }
}

interface CheckedFile {
  /** Stages as plans, but for those with a fault. */
  readonly checked: Readonly<Record<string, unknown>>;
  readonly faults: Fault[];
  readonly locate: ParsedFile['locate'];
  readonly interpolation: Interpolation;
}

/** Errors: IO_ERROR, UNSUPPORTED, INVALID_UTF8, INVALID_ARGUMENT. */
async function readPipeline(
  path: string,
  environment: Environment,
): Promise<CheckedFile | { readonly options: RunOptions }> {
  const extension = extname(path).toLowerCase();
  if (/^\.[cm]?[jt]s$/.test(extension)) {
    const { default: exported } = await importModule(path, true);
    const value: unknown = typeof exported === 'function' ? await exported() : exported;
    if (isRunOptions(value)) return { options: value };
    return checkPipeline(refuseCycles({ value, locate: () => ({ path }) }), environment);
  }
  if (!['.yaml', '.yml', '.json'].includes(extension)) {
    const problem = 'a pipeline file ends in .yaml, .json, .ts, .js or .mjs';
    throw new EtlError('INVALID_ARGUMENT', problem, { place: { path } });
  }
  return checkPipeline(await parseFile(path), environment);
}

/** What a module exports is what `run` takes when its source is one, and data when it has a type. */
function isRunOptions(value: unknown): value is RunOptions {
  return isMapping(value) && isMapping(value.source) && typeof value.source.type !== 'string';
}

function checkPipeline({ value, locate }: ParsedFile, environment: Environment): CheckedFile {
  const faults: Fault[] = [];
  const report = (fault: Fault): void => {
    faults.push(fault);
  };
  const interpolation = new Interpolation(environment);
  /** By way, the texts with variables as they stand in the file. */
  const filled = new Map<string, string>();
  const whole = fillTexts(value, [], interpolation, filled, report);
  const unfilled = faults.map((fault) => fault.way);
  const context: CheckContext = {
    report,
    hasUnfilled: (way) => unfilled.some((each) => way.every((step, i) => step === each[i])),
    isFilled: (way) => filled.has(JSON.stringify(way)),
    expressionAt: (way) => {
      const problems: string[] = [];
      const text = filled.get(JSON.stringify(way))!;
      const expression = interpolation.fillExpression(text, (problem) => problems.push(problem));
      for (const problem of problems) report({ way, problem: `${nameOf(way)}: ${problem}` });
      return problems.length > 0 ? undefined : expression;
    },
    stage: (kind, stage, way) => checkStage(kind, stage, way, context),
  };
  const form = pipelineSchema;
  const checked = checkValue(form, whole, [], context) as CheckedFile['checked'];
  if (isMapping(checked) && checked.resume === true && checked.reset === true) {
    report({ way: ['reset'], problem: 'a run takes resume or reset' });
  }
  return { checked, faults, locate, interpolation };
}

/** The value with variables put into all of its texts; their ways are added to `filled`. */
function fillTexts(
  value: unknown,
  way: Way,
  interpolation: Interpolation,
  filled: Map<string, string>,
  report: (fault: Fault) => void,
): unknown {
  if (typeof value === 'string') {
    if (!value.includes('${')) return value;
    filled.set(JSON.stringify(way), value);
    return interpolation.fill(value, (problem) => {
      report({ way, problem: `${nameOf(way)}: ${problem}` });
    });
  }
  const go = (item: unknown, step: string | number): unknown =>
    fillTexts(item, [...way, step], interpolation, filled, report);
  if (Array.isArray(value)) return value.map(go);
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, go(item, key)]));
}

function checkStage(kind: StageKind, value: unknown, way: Way, context: CheckContext): unknown {
  const name = nameOf(way);
  if (!isMapping(value)) {
    context.report({ way, problem: `${name} takes a ${kind}: a mapping with its type` });
    return value;
  }
  if (context.hasUnfilled([...way, 'type'])) return value;
  const { type, ...options } = value;
  const types = stageTypes[kind];
  if (typeof type !== 'string' || !Object.hasOwn(types, type)) {
    const known = Object.keys(types).join(', ');
    const found = typeof type === 'string' && !context.isFilled([...way, 'type']) ? type : '';
    const problem =
      type === undefined
        ? `${name} needs "type": ${known}`
        : `there is no ${kind} of this type${suggestion(found, Object.keys(types)) || `: ${known}`}`;
    context.report({ way: type === undefined ? way : [...way, 'type'], problem });
    return value;
  }
  const stage = types[type]!;
  const form = fields({ ...kindOptions[kind], ...stage.options }, stage.required);
  let isFaulty = context.hasUnfilled(way);
  const report = (fault: Fault): void => {
    isFaulty = true;
    context.report(fault);
  };
  const checked = checkFields(form, options, way, { ...context, report }, `${kind} ${type}`);
  return isFaulty ? value : new StagePlan(type, stage, checked, way);
}

/** Undefined where there are faults, those of the stages added, each of which has been tried. */
async function makePipeline(file: CheckedFile): Promise<LoadedPipeline | undefined> {
  const { checked, faults, interpolation } = file;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers) await each();
  };
  const failures: Failure[] = [];
  const scope: Scope = { defer: (closer) => closers.push(closer) };
  const options = (await makeAll(checked, scope, failures)) as RunOptions;
  for (const { error, way } of failures) {
    const code = isEtlError(error) && error.code !== 'IO_ERROR' ? error.code : 'INVALID_ARGUMENT';
    const message = error instanceof Error ? error.message : String(error);
    faults.push({ way, code, problem: interpolation.hide(message) });
  }
  if (isMapping(checked) && Array.isArray(checked.transforms)) {
    for (const { way, problem } of findTwins(checked.transforms, options.transforms ?? [])) {
      faults.push({ way, problem: interpolation.hide(problem) });
    }
  }
  if (faults.length === 0) return { options, data: checked as unknown as PipelineData, close };
  await close();
  return undefined;
}

/** The i-th transform of a file. */
interface NthTransform extends Identified<Pick<Transform, 'name'>> {
  readonly i: number;
}

/** Transforms that would be remembered under one id; one that could not be made only counts with an id of its own. */
function findTwins(planned: readonly unknown[], made: readonly unknown[]): Fault[] {
  const known = planned.flatMap((plan, i): NthTransform[] => {
    const { id } = plan instanceof StagePlan ? plan.options : isMapping(plan) ? plan : {};
    if (typeof id === 'string' && id !== '') return [{ i, id, transform: { name: '' } }];
    const stage = plan instanceof StagePlan && made[i];
    // What a module makes may be anything.
    return isMapping(stage) ? [{ i, ...unwrap(stage as unknown as AnyTransform) }] : [];
  });
  const keys = stateKeys(known);
  return known.flatMap(({ i }, nth) => {
    const key = keys[nth]!;
    if (keys.indexOf(key) === nth) return [];
    return [{ way: ['transforms', i], problem: `two transforms of the run have the id ${key}` }];
  });
}

/** A message without the place in front of it. */
function withoutPlace(error: Error): string {
  const { message } = error;
  if (!isEtlError(error)) return message;
  const bare = new EtlError(error.code, '', { place: error.place }).message;
  return message.startsWith(bare) ? message.slice(bare.length) : message;
}
