/** Python with the packages that interop tests need, in a virtual environment kept for the next run. */
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
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

/**
 * Installs pyarrow, DuckDB and Polars from the Python package index, where that is not done yet. The
 * environment is made under another name: a file that runs beside finds all of it or none.
 */
export function preparePython(): void {
  if (existsSync(environment)) return;
  const unfinished = `${environment}-${process.pid}`;
  execFileSync('python3', ['-m', 'venv', unfinished]);
  const packages = ['pyarrow', 'duckdb', 'polars', 'pytz'];
  execFileSync(join(unfinished, 'bin', 'python'), ['-m', 'pip', 'install', '-q', ...packages]);
  try {
    renameSync(unfinished, environment);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(environment)) throw error;
  }
}
