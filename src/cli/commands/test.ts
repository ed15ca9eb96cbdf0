/**
 * `zds test`: the tests that lie beside pipeline files. A test says what comes in and what is to come
 * out; source and sink of the pipeline are replaced by memory, and nothing is read or written.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, parse } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Document } from '../../core/batch.ts';
import { EtlError, formatPlace, type Place } from '../../core/errors.ts';
import type { Reject } from '../../core/reject.ts';
import { run } from '../../pipeline/index.ts';
import { checkValue, type Fault, faultError, nameOf, type Way } from '../../pipeline-file/check.ts';
import { loadPipeline } from '../../pipeline-file/index.ts';
import { type ParsedFile, parseFile } from '../../pipeline-file/parse.ts';
import { testsForm, testsJsonSchema } from '../../pipeline-file/test-schema.ts';
import { fromIterable } from '../../sources/from-iterable.ts';
import { memorySink } from '../../testing/memory-sink.ts';
import type { Command } from '../command.ts';
import { cutText, formatCount, formatValue } from '../text.ts';

const TEST_FILE = /\.test\.(yaml|yml|json)$/;
const PIPELINES = ['.yaml', '.yml', '.json', '.ts', '.mts', '.js', '.mjs'];

interface PipelineTest {
  readonly name: string;
  /** Variables of the environment, beside those there are. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input: readonly Document[];
  readonly output: readonly Document[];
  /** Codes of the records that are to be refused, in order. Default: none. */
  readonly rejects?: readonly string[];
}

/** What became of a test; line and column are those of what is not as it should be. */
interface TestResult extends Pick<Place, 'line' | 'column'> {
  readonly file: string;
  readonly name: string;
  readonly ok: boolean;
  readonly problem?: string;
}

export const testCommand: Command = {
  name: 'test',
  summary: 'Run the tests beside pipeline files; exit code 1 where one fails.',
  usage: '[FILE|DIR]… [--json] | --schema',
  positionals: [0, Number.POSITIVE_INFINITY],
  options: {
    json: { help: 'print the results as one JSON object' },
    schema: { help: 'print the JSON Schema of files of tests, for editors' },
  },
  async run(args, { stdout }) {
    if (args.flag('schema')) {
      await stdout.write(`${JSON.stringify(testsJsonSchema(), undefined, 1)}\n`);
      return 0;
    }
    const given = args.positionals.length > 0 ? args.positionals : ['.'];
    const files: string[] = [];
    for (const path of given) {
      const found = await testFiles(path);
      if (found.length === 0) {
        const problem = 'no tests found; those of NAME.yaml are in NAME.test.yaml beside it';
        throw new EtlError('INVALID_ARGUMENT', problem, { place: { path } });
      }
      files.push(...found);
    }
    const isJson = args.flag('json');
    const results: TestResult[] = [];
    for (const file of files) {
      const { tests, locate } = await readTests(file);
      const pipeline = await pipelineOf(file);
      for (const [i, test] of tests.entries()) {
        const { name } = test;
        const fault = await faultOf(test, pipeline);
        if (fault) {
          const { path: _, ...at } = locate({ way: ['tests', i, ...fault.way] });
          results.push({ file, name, ok: false, ...at, problem: fault.problem });
        } else results.push({ file, name, ok: true });
        if (!isJson) await stdout.write(`${describeResult(results.at(-1)!)}\n`);
      }
    }
    const failed = results.filter(({ ok }) => !ok).length;
    const tests = results.length === 1 ? '1 test' : `${formatCount(results.length)} tests`;
    const summary = isJson
      ? JSON.stringify({ tests: results.length, failed, results })
      : `${tests}, ${formatCount(failed)} failed`;
    await stdout.write(`${summary}\n`);
    return failed === 0 ? 0 : 1;
  },
};

function describeResult({ file, name, ok, problem, ...at }: TestResult): string {
  if (ok) return `ok   ${file}: ${name}`;
  return `FAIL ${formatPlace({ path: file, ...at })}: ${name}: ${problem}`;
}

/** The test files that an argument means: itself, the one of a pipeline, all in a folder. */
async function testFiles(given: string): Promise<string[]> {
  if (TEST_FILE.test(given)) return [given];
  try {
    if ((await stat(given)).isDirectory()) return (await testFilesIn(given)).sort();
    const dir = dirname(given);
    const stem = parse(given).name;
    const beside = await readdir(dir);
    const ours = beside.filter((n) => TEST_FILE.test(n) && n.replace(TEST_FILE, '') === stem);
    return ours.map((name) => join(dir, name));
  } catch (cause) {
    throw new EtlError('IO_ERROR', 'cannot be read', { place: { path: given }, cause });
  }
}

/** All below a folder, but for what is hidden or a package of others. */
async function testFilesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
      found.push(...(await testFilesIn(path)));
    } else if (TEST_FILE.test(entry.name)) found.push(path);
  }
  return found;
}

async function pipelineOf(file: string): Promise<string> {
  const beside = new Set(await readdir(dirname(file)));
  const stem = basename(file).replace(TEST_FILE, '');
  const found = PIPELINES.map((extension) => `${stem}${extension}`).find((n) => beside.has(n));
  if (found) return join(dirname(file), found);
  const problem = `there is no pipeline ${stem}.yaml (.json, .ts, .js) beside these tests`;
  throw new EtlError('INVALID_ARGUMENT', problem, { place: { path: file } });
}

/** Errors: IO_ERROR; INVALID_ARGUMENT with the place of what is no test. */
async function readTests(path: string): Promise<{
  tests: readonly PipelineTest[];
  locate: ParsedFile['locate'];
}> {
  const { value, locate } = await parseFile(path);
  const faults: Fault[] = [];
  const report = (fault: Fault): void => void faults.push(fault);
  const context = {
    report,
    isFilled: () => false,
    hasUnfilled: () => false,
    expressionAt: () => undefined,
    stage: (_: unknown, stage: unknown) => stage,
  };
  const { tests } = (checkValue(testsForm, value, [], context) ?? {}) as {
    readonly tests: readonly PipelineTest[];
  };
  if (faults.length > 0) throw faultError(faults, locate);
  return { tests, locate };
}

/** The first thing that is not as the test has it; `way` leads there from the test. */
async function faultOf(
  { env, input, output, rejects = [] }: PipelineTest,
  pipeline: string,
): Promise<Fault | undefined> {
  const { options, close } = await loadPipeline(pipeline, { ...process.env, ...env });
  const sink = memorySink();
  const refused: Reject[] = [];
  const { maxErrors: _, ...rest } = options;
  const onError = (reject: Reject): void => void refused.push(reject);
  try {
    const source = fromIterable(input);
    await run({ ...rest, source, sink, onError, resume: false, reset: true });
  } catch (error) {
    return { way: ['input'], problem: `the run failed: ${(error as Error).message}` };
  } finally {
    await close();
  }
  for (const [i, { code, reason }] of refused.entries()) {
    if (rejects[i] === code) continue;
    const wanted = rejects[i] === undefined ? 'nothing was to be refused' : `not ${rejects[i]}`;
    return { way: ['rejects', i], problem: `refused: ${code}, ${reason}; ${wanted}` };
  }
  if (refused.length < rejects.length) {
    const problem = `${rejects[refused.length]} was expected; nothing more was refused`;
    return { way: ['rejects', refused.length], problem };
  }
  return difference(asWritten(output), asWritten(sink.documents), ['output']);
}

/** Without what JSON does not have, such as -0. */
function asWritten(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function difference(wanted: unknown, found: unknown, way: Way): Fault | undefined {
  if (isDeepStrictEqual(wanted, found)) return undefined;
  if (!isBranch(wanted) || !isBranch(found) || Array.isArray(wanted) !== Array.isArray(found)) {
    return { way, problem: `${nameOf(way)} is ${contrast(wanted, found)}` };
  }
  const isList = Array.isArray(wanted);
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(found)])) {
    const at = [...way, isList ? Number(key) : key];
    const fault = difference(wanted[key], found[key], at);
    if (fault) return fault;
  }
  return undefined;
}

function contrast(wanted: unknown, found: unknown): string {
  if (found === undefined) return `missing: ${show(wanted)}`;
  return wanted === undefined ? `too much: ${show(found)}` : `${show(found)}, not ${show(wanted)}`;
}

function isBranch(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function show(value: unknown): string {
  return cutText(formatValue(JSON.stringify(value)), 200);
}
