/** The command line in this process: what it wrote, and the exit code. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll } from 'vitest';
import { Interrupt } from '../../../src/cli/interrupt.ts';
import { Output } from '../../../src/cli/output.ts';
import { runCli } from '../../../src/cli/run.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Setting {
  readonly stdin?: string | Readable;
  readonly isTTY?: boolean;
  readonly interrupt?: Interrupt;
  /** Hears what goes to standard error as it comes. */
  readonly onStderr?: (text: string) => void;
}

/** A folder that is removed when the test file has run. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zds-cli-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs one command line. */
export async function zds(argv: readonly string[], setting: Setting = {}): Promise<Outcome> {
  const { stdin = '', isTTY = false, interrupt = new Interrupt(), onStderr } = setting;
  const stdout = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  const stderr = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  const written = Promise.all([textOf(stdout), textOf(stderr, onStderr)]);
  const code = await runCli(argv, {
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    stdout: new Output(stdout),
    stderr,
    interrupt,
  });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, stdout: out, stderr: err };
}

async function textOf(stream: Readable, hear?: (text: string) => void): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) {
    parts.push(part as Buffer);
    hear?.(String(part));
  }
  return Buffer.concat(parts).toString();
}
