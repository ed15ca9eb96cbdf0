/** Names for work that is not done yet. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, it } from 'vitest';
import { temporaryBeside } from '../../../src/io/temporary.ts';
import { forgetTemporary } from '../../../src/io/temporary-registry.ts';
import { jsonlSink } from '../../../src/sinks/jsonl-sink.ts';
import { fromIterable } from '../../../src/sources/from-iterable.ts';
import { temporaryFolder } from '../../support/stages.ts';

/** The longest that file systems take. */
const MAX_NAME_BYTES = 255;

it.each(['x', 'é', '€', '😀'])('fit beside the longest name, here of %s', async (character) => {
  const folder = temporaryFolder();
  const size = Buffer.byteLength(character);
  const name = 'x'.repeat(MAX_NAME_BYTES % size) + character.repeat(MAX_NAME_BYTES / size);
  expect(Buffer.byteLength(name)).toBe(MAX_NAME_BYTES);
  const temporary = temporaryBeside(join(folder, name));
  forgetTemporary(temporary);
  expect(name).toContain(basename(temporary).slice(1, -'.123456789abc.tmp'.length));
  await pipeline(fromIterable([{ _id: 'a' }]), jsonlSink(join(folder, name)));
  expect(readdirSync(folder)).toEqual([name]);
  expect(readFileSync(join(folder, name), 'utf8')).toBe('{"_id":"a"}\n');
});
