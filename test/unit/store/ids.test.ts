import { describe, expect, it } from 'vitest';
import { createIdGenerator } from '../../../src/core/generate-id.ts';
import { isValidId } from '../../../src/store/index.ts';
import { isValidIdAt } from '../../../src/store/names.ts';

const good = [
  'a',
  'A-1_b.c',
  'é',
  '日本',
  '1',
  '-',
  '_',
  'a.',
  '٣',
  'x'.repeat(255),
  'é'.repeat(127),
];
const bad = [
  '',
  '.',
  '..',
  '.a',
  'a..b',
  'a/b',
  'a b',
  'a\\b',
  'a\0',
  '💥',
  'x'.repeat(256),
  'é'.repeat(128),
  '\ud800',
  'a"',
  '\ufeffa',
];

describe('ids', () => {
  it.each(good)('accepts %j', (id) => {
    expect(isValidId(id)).toBe(true);
    const bytes = Buffer.from(`..${id}..`);
    expect(isValidIdAt(bytes, 2, bytes.length - 2)).toBe(true);
  });
  it.each(bad)('refuses %j', (id) => {
    expect(isValidId(id)).toBe(false);
    const bytes = Buffer.from(`a${id}a`);
    expect(isValidIdAt(bytes, 1, bytes.length - 1)).toBe(false);
  });

  it.each([
    ['uuidv7', /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
    ['ulid', /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/],
  ] as const)('generates %s that sort as they were made', (kind, shape) => {
    let clock = 1_700_000_000_000;
    const next = createIdGenerator(kind, () => clock);
    const ids: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      if (i % 1000 === 0) clock += i % 3000 === 0 ? -5 : 7;
      ids.push(next());
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids.slice(0, 500)) expect(id).toMatch(shape);
    const time =
      kind === 'ulid' ? undefined : Number.parseInt(ids[0]!.replace('-', '').slice(0, 12), 16);
    if (time) expect(Math.abs(time - 1_700_000_000_000)).toBeLessThan(100);
  });
});
