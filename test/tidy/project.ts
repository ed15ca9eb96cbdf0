/** What the tidy tests know about the project: its files, as text. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, with a slash at the end. */
export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** Made by the build, installed or large: not ours to judge. */
const FOREIGN = /(^|\/)(node_modules|generated|data)(\/|$)/;

/** Files below a folder of the project whose names match, as paths from the root, in order. */
export function listFiles(folder: string, name: RegExp): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && name.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .filter((path) => !FOREIGN.test(path))
    .sort();
}

/** The text of a file of the project. */
export function readText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
