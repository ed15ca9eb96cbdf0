/** A folder of pipeline files, and what lint says of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { lintPipeline } from '../../../src/pipeline-file/index.ts';

export const folder: string = mkdtempSync(join(tmpdir(), 'zds-files-'));
export const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The findings as `line:column problem`. */
export async function lint(name: string, text: string, environment = {}): Promise<string[]> {
  writeFileSync(at(name), text);
  const findings = await lintPipeline(at(name), environment);
  return findings.map(({ place: { line, column }, problem }) => `${line}:${column} ${problem}`);
}

/** Name and source. */
export const head: string = `name: x\nsource: { type: jsonl, path: ${at('in.jsonl')} }\n`;
/** The sink. */
export const foot: string = `sink: { type: jsonl, path: ${at('out.jsonl')} }\n`;
