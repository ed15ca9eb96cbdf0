/** A folder of pipeline files, and what lint says of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { lintPipeline } from '../../../src/pipeline-file/index.ts';

export interface PipelineFolder {
  readonly folder: string;
  at(name: string): string;
  /** Writes the file; its findings as `line:column problem`. */
  lint(name: string, text: string, environment?: Record<string, string>): Promise<string[]>;
  /** Name and source of a file: it reads `in.jsonl`. */
  readonly head: string;
  /** The sink of a file: it writes `out.jsonl`. */
  readonly foot: string;
}

/** A folder that is removed when the test file has run. */
export function pipelineFolder(): PipelineFolder {
  const folder = mkdtempSync(join(tmpdir(), 'zds-files-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  return {
    folder,
    at,
    async lint(name, text, environment = {}) {
      writeFileSync(at(name), text);
      const findings = await lintPipeline(at(name), environment);
      return findings.map(({ place: { line, column }, problem }) => `${line}:${column} ${problem}`);
    },
    head: `name: x\nsource: { type: jsonl, path: ${at('in.jsonl')} }\n`,
    foot: `sink: { type: jsonl, path: ${at('out.jsonl')} }\n`,
  };
}
