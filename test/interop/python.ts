/** Python with the packages that interop tests need, in a virtual environment kept for the next run. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const environment = join(tmpdir(), 'zds-interop-venv');

/** The interpreter, once `preparePython` has run. */
export const python: string = join(environment, 'bin', 'python');

/** Why the tests cannot run; undefined if they can. */
export function findReason(): string | undefined {
  if (process.env.ZDS_INTEROP !== '1') return 'set ZDS_INTEROP=1 to run it';
  try {
    execFileSync('python3', ['-m', 'venv', '--help'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'python3 with venv is missing';
  }
}

/** Installs pyarrow, DuckDB and Polars from the Python package index, where that is not done yet. */
export function preparePython(): void {
  if (existsSync(python)) return;
  execFileSync('python3', ['-m', 'venv', environment]);
  execFileSync(python, ['-m', 'pip', 'install', '-q', 'pyarrow', 'duckdb', 'polars', 'pytz']);
}
